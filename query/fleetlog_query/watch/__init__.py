"""Searches that are kept live: entered, left, changed. Knows nothing of pages."""
