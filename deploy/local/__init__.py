"""The embedded stack: Kafka, PostgreSQL, a mailbox and the services under one supervisor."""
