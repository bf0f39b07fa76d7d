"""What every server process has: a gRPC server with health, reflection and drain, errors as status, telemetry."""
