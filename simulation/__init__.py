"""A whole fleetlog in one process, on virtual time, in which anything may fail: see docs/simulation.md."""
