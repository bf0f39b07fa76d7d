"""Artifacts as files: up in pieces, down with their digest verified."""
