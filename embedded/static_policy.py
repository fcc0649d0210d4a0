"""What the static server refuses: hidden files, and names that this machine does not answer to."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


def allowed_hosts(environment: Mapping[str, str]) -> list[str]:
    """Return the names to answer to: this machine's, DOMAIN and those of ALLOWED_HOSTS, as the proxy does.

    A page elsewhere can give its own name this machine's address; the browser would let it read what is here.
    """
    named = f"{environment.get('DOMAIN', '')},{environment.get('ALLOWED_HOSTS', '')}".lower().split(",")
    return [*LOCAL_HOSTS, *(name.strip() for name in named if name.strip())]


def static_policy(environment: Mapping[str, str]) -> list[Middleware]:
    """Return the middlewares of the static server."""
    hosts = allowed_hosts(environment)
    return [Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False), Middleware(RefuseHidden)]


class RefuseHidden:
    """Answers 404 where any part of the path begins with a dot: what lies there was not built to be read."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand in front of `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is not hidden."""
        is_hidden = scope["type"] == "http" and any(part.startswith(".") for part in scope["path"].split("/"))
        await (PlainTextResponse("Not Found", 404) if is_hidden else self.app)(scope, receive, send)
