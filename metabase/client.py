"""Requests to Metabase: retries where a repetition is harmless, errors without secrets.

GET, PUT and DELETE are repeated; a POST that may have been carried out is not: `Unsettled` tells the caller to look
before it tries again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx

ATTEMPTS = 5
RETRY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
TIMEOUT_S = 60.0
FIRST_DELAY_S, LONGEST_DELAY_S = 0.25, 8.0
Json = Any


class MetabaseError(Exception):
    """Metabase cannot be provisioned; the message says what was expected, what was found and what to do."""


class Refused(MetabaseError):
    """An answer that is no success; `status`, and `body` parsed where it is JSON."""

    def __init__(self, method: str, path: str, status: int, body: Json, told: str) -> None:
        """Keep what the caller decides by."""
        self.method, self.path, self.status, self.body = method, path, status, body
        super().__init__(f"{method} {path}: expected success, found {status}: {told}")


class Unsettled(MetabaseError):
    """A POST ended without an answer that settles whether it was carried out."""


class Client:
    """One Metabase; not for several threads. `requests` counts what was sent, repetitions included."""

    def __init__(
        self,
        url: str,
        *,
        secrets: Iterable[str] = (),
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open no connection yet; `secrets` never appear in errors and log lines."""
        self.url = url.rstrip("/")
        self.requests = self.writes = 0
        self.sleep, self._jitter, self._log = sleep, jitter, log
        self._secrets = [secret for secret in secrets if secret]
        tls = self.url.startswith("https:")  # reading the CA bundle takes longer than ten requests
        self._http = httpx.Client(
            verify=tls, base_url=self.url, timeout=TIMEOUT_S, trust_env=False, headers={"User-Agent": "tokenscope"}
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def use_session(self, session: str) -> None:
        """Send this session's key with every request from here on."""
        self._secrets.append(session)
        self._http.headers["X-Metabase-Session"] = session

    def clean(self, text: str) -> str:
        """Return `text` without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def get(self, path: str, **query: Any) -> Json:
        """GET, repeated while it fails in passing."""
        return self._repeated("GET", path, query=query)

    def put(self, path: str, body: Json) -> Json:
        """PUT, repeated while it fails in passing."""
        return self._repeated("PUT", path, body=body)

    def delete(self, path: str) -> Json:
        """DELETE, repeated while it fails in passing."""
        return self._repeated("DELETE", path)

    def post_again(self, path: str, body: Json = None) -> Json:
        """POST something that changes nothing when carried out twice, repeated while it fails in passing."""
        return self._repeated("POST", path, body=body)

    def post(self, path: str, body: Json = None) -> Json:
        """POST once; raises Unsettled when nobody can tell whether it was carried out."""
        try:
            response = self._send("POST", path, body, {})
        except httpx.TransportError as error:
            raise Unsettled(self.clean(f"POST {path}: no answer ({_cause(error)})")) from None
        if response.status_code in RETRY_STATUS:
            raise Unsettled(f"POST {path}: {response.status_code}")
        return self._result("POST", path, response)

    def create(self, find: Callable[[], Json | None], path: str, body: Json) -> Json:
        """POST until it is settled, looking with `find` for what an unanswered attempt may have made."""
        for attempt in range(ATTEMPTS):
            try:
                return self.post(path, body)
            except Unsettled as error:
                problem = error
                self.sleep(self._delay(attempt, None))
                made = find()
                if made is not None:
                    return made
        raise MetabaseError(f"{problem}, {ATTEMPTS} times; check Metabase's log, then run the command again")

    def probe(self, path: str) -> httpx.Response | None:
        """GET once without judging the answer; None when there is none."""
        try:
            return self._send("GET", path, None, {})
        except httpx.TransportError:
            return None

    def _repeated(self, method: str, path: str, body: Json = None, query: dict[str, Any] | None = None) -> Json:
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                response = self._send(method, path, body, query or {})
            except httpx.TransportError as error:
                if last:
                    told = f"expected Metabase at {self.url}, found no answer to {method} {path} ({_cause(error)})"
                    raise MetabaseError(self.clean(f"{told}; check that it runs, then run the command again")) from None
                self.sleep(self._delay(attempt, None))
                continue
            if response.status_code not in RETRY_STATUS or last:
                break
            self.sleep(self._delay(attempt, response.headers.get("Retry-After")))
        return self._result(method, path, response)

    def _send(self, method: str, path: str, body: Json, query: dict[str, Any]) -> httpx.Response:
        self.requests += 1
        self.writes += method != "GET" and path not in ("/api/session", "/api/dataset")
        started = time.monotonic()
        response = self._http.request(method, path, json=body, params=query)
        self._log(f"{method} {path} {response.status_code} {(time.monotonic() - started) * 1000:.0f} ms")
        return response

    def _delay(self, attempt: int, retry_after: str | None) -> float:
        if retry_after is not None and retry_after.isdigit():
            return min(float(retry_after), 60.0)
        return min(FIRST_DELAY_S * 2.0**attempt, LONGEST_DELAY_S) * (0.5 + self._jitter() / 2)

    def _result(self, method: str, path: str, response: httpx.Response) -> Json:
        try:
            body = response.json() if response.content else None
        except ValueError:
            body = None
        if response.is_success:
            return body
        told = self.clean(_told(body) or " ".join(response.text.split())[:300] or "no text")
        raise Refused(method, path, response.status_code, body, told)


def _told(body: Json) -> str:
    """Return the message in Metabase's error bodies, which come in several shapes."""
    if not isinstance(body, dict):
        return ""
    errors = body.get("specific-errors") or body.get("errors")
    if isinstance(errors, dict) and errors:
        return "; ".join(f"{key}: {value}" for key, value in errors.items())
    return str(body.get("message") or body.get("error") or "")


def _cause(error: httpx.TransportError) -> str:
    return " ".join(str(error).split()) or type(error).__name__
