"""What is logged as items, and frames of them. Pure."""
