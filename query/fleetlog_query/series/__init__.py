"""Points and buckets of metrics by run. Knows nothing of pages."""
