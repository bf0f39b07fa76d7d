"""trackio's local store as runs: a SQLite file for each project, and its media beside it."""
