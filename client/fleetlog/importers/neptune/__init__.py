"""What neptune-exporter left of Neptune's projects as runs: Parquet of one schema, and files beside it."""
