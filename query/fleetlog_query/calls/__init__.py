"""RPCs of the query service, a file for each noun: requests checked, answers packed. Nothing below imports it."""
