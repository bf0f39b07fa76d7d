"""Reads of the warehouse: filters, pages, streams, series, selections and watches."""
