"""Which runs a search finds, in which order: by columns that are held, or by a statement. Imports no search."""
