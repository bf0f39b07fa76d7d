"""The event log in Kafka: the engine of a cluster. The one package that knows kafka-python."""
