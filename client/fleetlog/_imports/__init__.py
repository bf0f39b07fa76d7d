"""Tables of runs that were made elsewhere."""
