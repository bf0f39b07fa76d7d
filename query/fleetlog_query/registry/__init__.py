"""Registered models: which there are, which versions they have, and what happened to them."""
