"""W&B's local folders as runs: the log's framing, its records, histories, everything else as files."""
