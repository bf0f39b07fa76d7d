"""What a server is told before it starts: one TOML file, FLEETLOG_* in the environment, and the command line."""
