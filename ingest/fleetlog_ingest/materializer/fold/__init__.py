"""Events to rows. Pure: no I/O, no clock."""
