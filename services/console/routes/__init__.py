"""The console's HTTP API, a module a resource."""
