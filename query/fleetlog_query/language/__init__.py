"""The filter language: text to tree to plan, and its errors. Pure: no I/O, no clock."""
