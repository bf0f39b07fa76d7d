"""Whom are changes of registered models told to? Reads the log by a consumer group of its own, and delivers."""
