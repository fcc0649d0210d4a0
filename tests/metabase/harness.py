"""What the tests share: definitions from plain dicts, and a Metabase to apply them to (the double, or a real one)."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import yaml
from psycopg.conninfo import conninfo_to_dict

from metabase import provision
from metabase.client import Client
from metabase.definitions import read_schema
from metabase.settings import Target, read_target
from metabase.spec import Dashboard, parse_dashboards
from metabase.theme import read_theme
from tests.metabase.double.server import Double

THEME = read_theme()
SCHEMA = read_schema("dashboard")
ADMIN_PASSWORD = "correct-horse-1"
READER_PASSWORD = "reader-secret"
WAREHOUSE = {"host": "db", "port": 5432, "dbname": "tokenscope", "user": "portfolio_reader", "ssl": False}

Board = dict[str, Any]


def card(key: str, chart: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a card in the YAML's form; its SQL is `sql`, by default one row with the column n."""
    chart = dict(chart or {"type": "scalar", "y": "n"})
    return {"card": key, "title": key.title(), "question": f"What is {key}?", "chart": chart} | more


def board(*cards: Mapping[str, Any], **more: Any) -> Board:
    """Return a dashboard in the YAML's form."""
    base: Board = {"version": 1, "order": 1, "name": "Demo", "description": "A demo"}
    return base | ({} if "tabs" in more else {"cards": list(cards)}) | more


def define(**boards: Board) -> tuple[Dashboard, ...]:
    """Return definitions; underscores in names become dashes, a card's `sql` becomes its file."""
    documents, sql = {}, {}
    for name, raw in boards.items():
        key = name.replace("_", "-")
        tabs = raw.get("tabs") or [{"cards": raw["cards"]}]
        plain = yaml.safe_load(yaml.safe_dump(raw))
        for tab in plain.get("tabs") or [plain]:
            for item in tab["cards"]:
                item.pop("sql", None)
        for item in (item for tab in tabs for item in tab["cards"] if "card" in item):
            sql[f"cards/{key}/{item['card']}.sql"] = item.get("sql", "select 1 as n")
        documents[f"dashboards/{key}.yml"] = yaml.safe_dump(plain, sort_keys=False)
    return parse_dashboards(documents, sql, SCHEMA, THEME)


def demo() -> tuple[Dashboard, ...]:
    """Return two small dashboards that use filters, tabs, texts and several displays."""
    line = {"type": "line", "x": "usage_on", "y": ["cost_usd"]}
    daily = "select date '2025-01-01' as usage_on, 1.5 as cost_usd where 7 <= {{days}} [[and 'free' in ({{tier}})]]"
    filters = {
        "days": {"name": "Period", "type": "number", "values": [7, 30], "default": 7},
        "tier": {"name": "Tier", "type": "text", "values": ["free", "pro"]},
    }
    first = board(
        {"heading": "Spend"},
        card("total"),
        card("by-day", line, sql=daily, tags={"days": "number", "tier": "text"}),
        {"text": "Made **for tests**."},
        name="First",
        filters=filters,
    )
    tabs = [{"name": "One", "cards": [card("a"), card("b")]}, {"name": "Two", "cards": [card("c")]}]
    return define(first=first, second=board(tabs=tabs, name="Second", order=2))


@dataclass
class Lab:
    """A Metabase to apply definitions to; `double` is None for a real one."""

    target: Target
    double: Double | None = None
    told: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    opened: list[httpx.Client] = field(default_factory=list)

    def client(self) -> Client:
        """Return a client that does not really sleep on the double."""
        options: dict[str, Any] = {} if self.double is None else {"sleep": self.slept.append, "jitter": lambda: 0.5}
        return Client(self.target.url, secrets=self.target.secrets, log=self.told.append, **options)

    def apply(self, dashboards: tuple[Dashboard, ...], **options: Any) -> provision.Outcome:
        """Run apply."""
        return self._run(dashboards, write=True, **options)

    def plan(self, dashboards: tuple[Dashboard, ...], **options: Any) -> provision.Outcome:
        """Run plan."""
        return self._run(dashboards, write=False, **options)

    def _run(self, dashboards: tuple[Dashboard, ...], *, write: bool, **options: Any) -> provision.Outcome:
        chosen = provision.Options(**options)
        return provision.run(
            self.client(), self.target, dashboards, THEME, self.told.append, write=write, options=chosen
        )

    def admin(self) -> httpx.Client:
        """Return a logged-in client for what a person would do in the user interface."""
        http = httpx.Client(base_url=self.target.url, trust_env=False, timeout=60, verify=False)
        self.opened.append(http)
        body = {"username": self.target.email, "password": self.target.password}
        http.headers["X-Metabase-Session"] = http.post("/api/session", json=body).json()["id"]
        return http

    def find(self, admin: httpx.Client, model: str, name: str) -> dict[str, Any]:
        """Return the item of that model and name in our collection."""
        collections = admin.get("/api/collection").json()
        ours = next(each for each in collections if each["name"] == self.target.collection)
        items = admin.get(f"/api/collection/{ours['id']}/items").json()["data"]
        found: dict[str, Any] = next(each for each in items if (each["model"], each["name"]) == (model, name))
        return found

    def close(self) -> None:
        """Close what `admin` opened and stop the double."""
        for http in self.opened:
            http.close()
        if self.double is not None:
            self.double.stop()

    def changed(self, **changes: Any) -> Lab:
        """Return a lab on the same Metabase with another target."""
        return Lab(replace(self.target, **changes), self.double, self.told, self.slept, self.opened)


def edit(admin: httpx.Client, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """PUT as a person's browser would; fail the test when Metabase refuses."""
    response = admin.put(path, json=body)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


def double_lab(profile: str, **options: Any) -> Lab:
    """Return a lab on a fresh double."""
    double = Double(profile=profile, **options).start()
    return Lab(double_target(double.url), double)


def double_target(url: str) -> Target:
    """Return the target for a double."""
    return Target(
        url=url,
        email="admin@example.com",
        password=ADMIN_PASSWORD,
        warehouse=WAREHOUSE,
        reader_password=READER_PASSWORD,
    )


def live_lab() -> Lab:
    """Return a lab on the Metabase at METABASE_URL, in a collection of its own.

    METABASE_LIVE_WAREHOUSE is a libpq connection string for portfolio_reader as that Metabase reaches the server.
    """
    info = {key: str(value) for key, value in conninfo_to_dict(os.environ["METABASE_LIVE_WAREHOUSE"]).items()}
    names = {"PGHOST": info["host"], "PGPORT": info.get("port", "5432"), "PGDATABASE": info["dbname"]}
    found = read_target({**os.environ, **names, "PORTFOLIO_READER_PASSWORD": info.get("password", "")})
    mark = f"test-{uuid.uuid4().hex[:8]}"
    return Lab(replace(found, namespace=mark, collection=mark, database=mark))
