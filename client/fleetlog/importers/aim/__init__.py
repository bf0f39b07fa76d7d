"""Aim's repositories as runs, read by Aim itself: its store is RocksDB in an encoding of its own."""
