"""The materializer: folds the event log into the warehouse's tables, exactly once."""
