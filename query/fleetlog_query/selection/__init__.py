"""The best runs or groups of runs, and why. Imports no search."""
