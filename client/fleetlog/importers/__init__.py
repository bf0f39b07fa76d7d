"""Histories of other trackers as runs: a reader a source, one writer for all."""
