"""The control partition: what is unique in a namespace, decided in log order; and the log's times."""
