"""Calls of Client, a file for each noun."""
