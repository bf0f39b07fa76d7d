"""The object store: the bytes of artifacts. A port, and one adapter a module."""
