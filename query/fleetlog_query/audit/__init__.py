"""Who did what: records of the log as the tables tell of them, in pages and in words. Knows nothing of calls."""
