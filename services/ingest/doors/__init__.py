"""The two ways in: HTTP and the topic notifications.requests."""
