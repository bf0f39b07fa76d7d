"""The way of events into the log: outbox, frames, what is in flight, uploads."""
