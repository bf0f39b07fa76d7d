"""What fleetlog is made of: the gateway, the materializer and the query service, each over its engines.

`fleetlog up` runs all three in one process, `fleetlog serve` one of them.
"""
