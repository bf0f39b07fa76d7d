"""Wiring: which adapters stand behind which ports, in one process or many."""
