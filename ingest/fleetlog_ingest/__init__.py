"""Everything that writes: the gateway takes events into the log, the materializer folds the log into tables."""
