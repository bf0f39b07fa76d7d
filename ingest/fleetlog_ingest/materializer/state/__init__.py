"""What the fold has to know of runs before a batch, read from the warehouse."""
