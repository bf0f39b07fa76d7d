"""trackio's local store as runs: a SQLite file for each project or the Parquet that it is exported to, and media."""
