"""Which PostgreSQL the components use, and what is in it."""
