"""Webhooks: what may be told to whom, how secrets are kept, and how one delivery is sent."""
