"""Columns of all runs of some experiments, held between questions and read again where runs changed."""
