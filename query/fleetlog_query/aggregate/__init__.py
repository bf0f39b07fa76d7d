"""Curves of groups of runs: what a metric was on average along its axis, and how far the runs of a group differ."""
