"""Which runs changed after a position, and what a position is in time. Knows nothing of pages."""
