"""All runs of a search without a cap: the order first, then documents block by block. Not for pages."""
