"""Give Metabase's admin the password that the secret holds, with a token from Metabase's own `reset-password` command.

Metabase's program prints `OK [[[TOKEN]]]`, or `FAIL [[[reason]]]`, somewhere among its log lines.
"""

from __future__ import annotations

import re

from metabase import session
from metabase.client import Client, MetabaseError, Refused
from metabase.settings import Target

COMMAND = "make metabase-password"
_PRINTED = re.compile(r"\b(OK|FAIL) \[\[\[(.*?)\]\]\]", re.DOTALL)


def printed_token(printed: str) -> str:
    """Return the token in what `reset-password` has printed; raises MetabaseError with its reason when it failed."""
    matches = _PRINTED.findall(printed)
    if matches and matches[-1][0] == "OK":
        return str(matches[-1][1])
    if matches:
        found = " ".join(matches[-1][1].split()).rstrip(".")
    else:  # nothing of Metabase's own: its last line says why it did not get there
        found = " ".join(printed.split("\n")[-2:]).strip()[-300:] or "no output"
    told = f"expected a token from Metabase's reset-password, found: {found}"
    raise MetabaseError(f"{told}; correct that, then run `{COMMAND}` again")


def set_password(client: Client, target: Target, token: str, wait_s: int = session.WAIT_S) -> None:
    """Set the admin's password to the target's; a lost answer is settled by a login. Raises MetabaseError."""

    def done() -> dict[str, str] | None:
        try:
            session.log_in(client, target)
        except MetabaseError:
            return None
        return {}

    try:
        session.wait_until_ready(client, wait_s)
        answer = client.create(done, "/api/session/reset_password", {"token": token, "password": target.password})
        if answer.get("session_id"):
            client.use_session(str(answer["session_id"]))
    except Refused as error:
        told = f"expected token and password accepted, found {error.status}: {str(error).rpartition(': ')[2]}"
        rules = "a token holds once and for 48 hours, a password needs 6 characters with a digit"
        raise MetabaseError(f"{told}; {rules}: run `{COMMAND}` again") from None
    finally:
        session.close_session(client)
