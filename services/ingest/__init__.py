"""Accept: two doors, one validator, and a 202 only after Kafka has acknowledged."""
