"""Pages and files outside the API: what a public dashboard loads, and what must never be routed to the public."""

from __future__ import annotations

import html
import re
import secrets

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SCRIPT = """\
// Stand-in for Metabase's front end: loads a public dashboard and writes its rows into the page.
const id = location.pathname.split('/').pop();
const api = async (path) => (await fetch(`api/public/dashboard/${id}${path}`)).json();
(async () => {
  await fetch('api/session/properties').catch(() => null);
  const board = await api('');
  document.title = board.name;
  const root = document.getElementById('root');
  root.append(Object.assign(document.createElement('h1'), { textContent: board.name }));
  for (const place of board.dashcards.filter((each) => each.card_id)) {
    const result = await api(`/dashcard/${place.id}/card/${place.card_id}?parameters=%5B%5D`);
    const section = document.createElement('section');
    section.append(Object.assign(document.createElement('h2'), { textContent: place.card.name }));
    const rows = result.status === 'completed' ? result.data.rows : [[result.error]];
    const text = rows.map((row) => row.join('\\t')).join('\\n');
    section.append(Object.assign(document.createElement('pre'), { textContent: text }));
    root.append(section);
  }
  root.dataset.ready = 'true';
})();
"""
FILES = {
    "/app/dist/app-public.js": ("text/javascript", SCRIPT),
    "/app/dist/styles.css": ("text/css", "body{font-family:sans-serif;margin:1rem}pre{overflow:auto}"),
    "/app/assets/img/favicon.svg": ("image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"/>'),
    "/app/fonts/Lato/lato-v16-latin-regular.woff2": ("font/woff2", ""),
}
Page = tuple[int, dict[str, str], str]


def page(method: str, path: str, site_url: str | None) -> Page | None:
    """Return a page or a file; None where Metabase has nothing outside its API."""
    if method not in ("GET", "HEAD", "POST") or (path.startswith("/api/") and not _download(path)):
        return None
    if method == "POST":
        return (200, {"Content-Type": "text/csv"}, "downloads,are,not,routed\n") if _download(path) else None
    if path in FILES:
        kind, text = FILES[path]
        return 200, {"Content-Type": kind, "Cache-Control": "max-age=31536000"}, text
    if path.startswith("/app/"):
        return 404, {"Content-Type": "text/plain"}, "Not found."
    if re.fullmatch(rf"/public/dashboard/{UUID}", path):
        nonce = secrets.token_urlsafe(12)
        policy = f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
        policy += "connect-src 'self'; img-src 'self'; font-src 'self'; base-uri 'self'; frame-ancestors *"
        return (
            200,
            {"Content-Type": "text/html;charset=utf-8", "Content-Security-Policy": policy},
            _html(site_url, nonce),
        )
    headers = {"Content-Type": "text/html;charset=utf-8", "X-Frame-Options": "DENY"}
    return (
        200,
        headers,
        "<!doctype html><title>Metabase</title><p>login, setup and administration: never route this</p>",
    )


def _download(path: str) -> bool:
    return bool(re.fullmatch(rf"/api/public/dashboard/{UUID}/dashcard/\d+/card/\d+/(csv|xlsx|json)", path))


def _html(site_url: str | None, nonce: str) -> str:
    prefix = re.sub(r"^https?://[^/]+", "", site_url or "").rstrip("/") + "/"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><base href="{html.escape(prefix)}">'
        '<link rel="icon" href="app/assets/img/favicon.svg"><link rel="stylesheet" href="app/dist/styles.css">'
        f'<script nonce="{nonce}">window.MetabaseRoot = document.baseURI;</script>'
        '<title>Metabase</title></head><body><div id="root"></div>'
        '<script src="app/dist/app-public.js"></script></body></html>'
    )
