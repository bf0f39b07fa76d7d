"""Later pages of one moment, beside updates: what runs were then. Imports no search."""
