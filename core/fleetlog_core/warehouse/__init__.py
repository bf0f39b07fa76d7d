"""The warehouse: the tables that are folded from the log. A port, adapters, migrations."""
