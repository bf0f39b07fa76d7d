"""One page of a search, its token, and the documents of its runs. Imports no stream and no facets."""
