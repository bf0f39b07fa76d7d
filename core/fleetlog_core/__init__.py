"""What both services stand on: the ports (log, warehouse, objects), the rules of valid input, and serving."""
