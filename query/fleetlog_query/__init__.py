"""Everything that reads: filters, plans, statements, and the query service."""
