"""Runs: how they start, what they take, how they end with their process."""
