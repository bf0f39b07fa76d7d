"""Keys and values that runs have, counted: what there is to search for."""
