"""Which runs a page has: the latest, the top by a number, or a statement over all. Imports no search."""
