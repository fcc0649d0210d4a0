"""Metabase's program with the argument `reset-password EMAIL`: a token for a user of the application database."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any


def make_token(users: Sequence[dict[str, Any]], email: str) -> tuple[str | None, str]:
    """Return a token, None where nobody has this e-mail, and what the program prints."""
    found = next((user for user in users if user["email"].lower() == email.lower()), None)
    begin = f"Resetting password for {email}...\n\n"
    if found is None:
        reason = f"No user found with email address '{email}'. Please check the spelling and try again."
        return None, f"{begin}FAIL [[[{reason}]]]\n"
    token = f"{found['id']}_{uuid.uuid4()}"
    return token, f"{begin}OK [[[{token}]]]\n"
