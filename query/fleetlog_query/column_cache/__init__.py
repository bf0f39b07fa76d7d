"""Columns of a scope by run, held between questions and patched by what changed. Imports no selection."""
