"""What the embedded stack raises for its callers to print."""


class EmbeddedPostgresError(Exception):
    """The embedded server cannot be used; the message says what to do."""
