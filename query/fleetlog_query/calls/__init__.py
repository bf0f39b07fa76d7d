"""The calls of QueryService, a file for each noun; `fleetlog_query.service.QueryServicer` has them all."""
