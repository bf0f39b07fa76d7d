"""The consumer: batches declared, inserted and confirmed. The only room with I/O of the log."""
