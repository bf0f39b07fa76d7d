"""Folds the log into the warehouse, exactly once."""
