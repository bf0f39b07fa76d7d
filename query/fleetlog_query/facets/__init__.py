"""What there is to search for: keys and values with counts."""
