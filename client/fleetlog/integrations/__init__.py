"""Runs for other libraries' training loops, a module for each: its library is imported with it, and not before."""
