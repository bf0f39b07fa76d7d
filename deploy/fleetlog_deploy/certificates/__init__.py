"""Certificates of a private CA, for a first trial: made, and made anew before they end. No server imports it."""
