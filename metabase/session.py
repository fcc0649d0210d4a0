"""Wait for Metabase, check its version, set it up the first time, log in."""

from __future__ import annotations

import re
from typing import Any

import httpx

from metabase.client import Client, MetabaseError, Refused, Unsettled
from metabase.settings import Target

OLDEST, NEWEST = 58, 65
WAIT_S = 300
LONGEST_THROTTLE_S = 60
PATCHED = {58: 28, 59: 21, 60: 17, 61: 11, 62: 9, 63: 5}
"""First release of each line without the critical holes of August 2026 (GHSA-vwf4-m7j8-wcjf and its neighbours)."""


def open_session(client: Client, target: Target, *, any_version: bool = False, wait_s: int = WAIT_S) -> list[str]:
    """Bring the client to the state 'logged in as admin'; return warnings worth printing."""
    properties = wait_until_ready(client, wait_s)
    warnings = check_version(properties, any_version)
    if properties.get("has-user-setup"):
        log_in(client, target)
    else:
        set_up(client, target, properties)
    return warnings


def wait_until_ready(client: Client, wait_s: int = WAIT_S) -> dict[str, Any]:
    """Poll once a second until health is green and the settings answer too; return the settings."""
    seen = "no answer"
    for _ in range(max(wait_s, 1)):
        health = client.probe("/api/health")
        if health is not None:
            seen = f"{health.status_code} {' '.join(health.text.split())[:100]}"
        if health is not None and health.is_success:
            properties = client.probe("/api/session/properties")
            if properties is not None and properties.is_success:
                return _json(properties, client)
        client.sleep(1.0)
    told = f"expected Metabase at {client.url} to become healthy within {wait_s} s, found: {seen}"
    raise MetabaseError(f"{told}; check METABASE_URL and Metabase's log, then run the command again")


def _json(response: httpx.Response, client: Client) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or "version" not in body:
        raise MetabaseError(f"expected Metabase's API at {client.url}, found something else; check METABASE_URL")
    return body


def check_version(properties: dict[str, Any], any_version: bool = False) -> list[str]:
    """Return warnings about the version; raises MetabaseError outside the range that was tried."""
    tag = str((properties.get("version") or {}).get("tag"))
    match = re.match(r"v[01]\.(\d+)(?:\.(\d+))?", tag)
    major, minor = (int(match.group(1)), int(match.group(2) or 0)) if match else (0, 0)
    warnings = []
    if not OLDEST <= major <= NEWEST:
        told = f"expected Metabase v0.{OLDEST} to v0.{NEWEST}, found {tag}"
        if not any_version:
            raise MetabaseError(
                f"{told}; pin the image to a version in the range, or pass --any-version to try this one"
            )
        warnings.append(f"{told}; going on because of --any-version")
    if minor < PATCHED.get(major, 0):
        warnings.append(
            f"expected at least v0.{major}.{PATCHED[major]}, which fixes critical holes, found {tag}; upgrade the image"
        )
    if properties.get("anon-tracking-enabled"):
        warnings.append("expected anonymous tracking off, found it on; set MB_ANON_TRACKING_ENABLED=false for Metabase")
    return warnings


def set_up(client: Client, target: Target, properties: dict[str, Any]) -> None:
    """Create the first user; when somebody was faster, or a lost answer hides that it worked, log in instead."""
    token = target.setup_token or properties.get("setup-token")
    if not token:
        told = "first-time setup: expected a setup token in Metabase's settings, found none"
        raise MetabaseError(f"{told}; set MB_SETUP_TOKEN for Metabase and METABASE_SETUP_TOKEN_FILE here")
    body = {
        "token": token,
        "user": {"email": target.email, "password": target.password, "first_name": "Tokenscope", "last_name": "Admin"},
        "prefs": {"site_name": target.site_name, "site_locale": "en"},
    }

    def done() -> dict[str, Any] | None:
        return {} if client.get("/api/session/properties").get("has-user-setup") else None

    try:
        answer = client.create(done, "/api/setup", body)
    except Refused as error:
        if error.status != 403:
            told = f"first-time setup refused: {error}"
            raise MetabaseError(
                f"{told}; correct the admin's e-mail or password (or the setup token) and run again"
            ) from None
        answer = {}
    if answer.get("id"):
        client.use_session(answer["id"])
    else:
        log_in(client, target)


def log_in(client: Client, target: Target) -> None:
    """Log in; waits once where Metabase throttles."""
    for attempt in (1, 2):
        try:
            answer = client.post_again("/api/session", {"username": target.email, "password": target.password})
        except Refused as error:
            wait = _throttled(error)
            if wait is None or attempt == 2 or wait > LONGEST_THROTTLE_S:
                raise _login_error(target, error, wait) from None
            client.sleep(wait)
        else:
            client.use_session(_session(target, answer))
            return


def _session(target: Target, answer: dict[str, Any]) -> str:
    """Return the session's key; since two-factor login came (between v0.61 and v0.65) an answer may have none."""
    if "id" in answer:
        return str(answer["id"])
    methods = ", ".join(answer.get("methods") or ()) or "unknown"
    raise MetabaseError(
        f"login: expected a session for {target.email}, found a second factor asked for ({methods}); "
        "the provisioner cannot give one: switch two-factor login off for this account, then run the command again"
    )


def _throttled(error: Refused) -> float | None:
    match = re.search(r"wait (\d+) second", str(error))
    return float(match.group(1)) if match else None


def _login_error(target: Target, error: Refused, wait: float | None) -> MetabaseError:
    told = f"login: expected the password of {target.email}, found {error.status}: {str(error).rpartition(': ')[2]}"
    if wait is not None:
        return MetabaseError(f"{told}; too many failed logins, wait {wait:.0f} s and run the command again")
    return MetabaseError(
        f"{told}; Metabase's database was set up with another password: put that one back into the secret "
        "(METABASE_ADMIN_PASSWORD_FILE), or run `make metabase-password`, which gives Metabase the one that the secret "
        "holds now, then run the command again (docs/dashboards.md, 'Lost password')"
    )


def close_session(client: Client) -> None:
    """Log out, so that no key stays valid; a failure does not matter any more."""
    try:
        client.delete("/api/session")
    except (MetabaseError, Unsettled):
        return
    finally:
        client.close()
