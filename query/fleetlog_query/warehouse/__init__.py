"""Statements with a deadline, cancelled with their call, and small answers kept by the version of their tables."""
