"""Histories that other tools exported as tables, a row for each step: CSV and Parquet."""
