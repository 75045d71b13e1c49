"""From a delivery on a topic to an outcome in the record: claim, send, record."""
