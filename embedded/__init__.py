"""The stack without Docker: PostgreSQL, proxy, app and site as processes of this machine, data under `.data/`."""
