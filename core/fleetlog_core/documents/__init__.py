"""Documents in the tables: how they stand, now or before an offset of the log."""
