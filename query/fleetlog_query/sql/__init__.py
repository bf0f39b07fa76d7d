"""Plans, scopes and orders as SQL with bound values. Reads nothing by itself."""
