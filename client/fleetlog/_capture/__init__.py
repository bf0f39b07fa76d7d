"""What a run records by itself: code, environment, console output and the machine's numbers. Nothing here raises."""
