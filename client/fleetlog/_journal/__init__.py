"""What a process logged, on this machine's disk until a server has it; what a dead process left is delivered later."""
