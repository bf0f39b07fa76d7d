"""TensorBoard's event files as runs: framing, events, scalars by the million, everything else as files."""
