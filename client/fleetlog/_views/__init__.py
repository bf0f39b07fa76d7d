"""Answers as users get them: runs, series, selections, comparisons, frames of data."""
