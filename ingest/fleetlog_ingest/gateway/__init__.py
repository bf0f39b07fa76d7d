"""The gateway: takes frames, intents and uploads, and holds no state of its own."""
