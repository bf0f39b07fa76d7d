"""The event log: the only source of truth. A port, and one adapter a module."""
