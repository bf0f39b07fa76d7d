"""Programmatic model selection: constraints, objectives, groups, and why."""
