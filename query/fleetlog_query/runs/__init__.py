"""Documents of runs: keys, values, read masks, Arrow columns. Knows nothing of pages."""
