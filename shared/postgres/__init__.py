"""PostgreSQL as Tocsin uses it: one pool, the database's clock, forward-only migrations."""
