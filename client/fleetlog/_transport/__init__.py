"""The channel to a server, its streams and what is under way on it."""
