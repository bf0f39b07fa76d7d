"""What a client can ask of a server, a noun each; `fleetlog.client.Client` has them all."""
