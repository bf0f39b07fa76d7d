"""Registered models in the tables: how a state is written, and how it is read as of an offset of the log."""
