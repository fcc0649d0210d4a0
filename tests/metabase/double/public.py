"""What the double shows to visitors without a session: masked, and no more than the public routes need."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.metabase.double import queries
from tests.metabase.double.state import Row, State
from tests.metabase.double.warehouse import Warehouse

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Config:
    """What Metabase takes from its environment."""

    setup_token: str = "5a5e5f4c-0000-4000-8000-1234567890ab"
    hide_setup_token: bool = False
    site_url: str | None = None
    anon_tracking: bool = False
    public_sharing: bool = True
    version_tag: str | None = None
    second_factor: bool = False
    reset_tokens: Callable[[], Mapping[str, str]] = dict
    """Tokens by e-mail that another process has made, as Metabase's program does beside a running Metabase."""


@dataclass
class Request:
    """One request as the rules see it."""

    ids: list[str]
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    session: str | None = None


class Visitors:
    """Answers of the public operations."""

    state: State
    config: Config
    warehouse: Warehouse

    def _shared(self, request: Request) -> Row | None:
        for row in self.state.dashboards.values():
            if row["public_uuid"] == request.ids[0] and not row["archived"] and self.config.public_sharing:
                return row
        return None

    def _public_dashboard(self, request: Request) -> Answer:
        row = self._shared(request)
        if row is None:
            return 404, "Not found."
        shown = ("id", "name", "description", "parameters", "width", "auto_apply_filters", "tabs")
        dashcards = []
        for each in row["dashcards"]:
            card = self.state.cards.get(str(each["card_id"]))
            kept = ("id", "name", "description", "display", "visualization_settings")
            masked = {key: card[key] for key in kept} if card else None
            dashcards.append({**{key: value for key, value in each.items() if key != "series"}, "card": masked})
        return 200, {**{key: row[key] for key in shown}, "dashcards": dashcards}

    def _public_rows(self, request: Request) -> Answer:
        row = self._shared(request)
        _, dashcard_id, card_id = request.ids
        dashcards = [each for each in row["dashcards"] if str(each["id"]) == dashcard_id] if row else []
        if row is None or not dashcards or str(dashcards[0]["card_id"]) != card_id:
            return 404, "Not found."
        try:
            given = {each["id"]: each.get("value") for each in json.loads(request.query.get("parameters") or "[]")}
        except (ValueError, TypeError, KeyError):
            return 400, "An error occurred."
        values = queries.tag_values(row["parameters"], dashcards[0]["parameter_mappings"], given)
        result = queries.run(self.state, self.warehouse, self.state.cards[card_id]["dataset_query"], values)
        if result["status"] == "failed":
            result["error"] = "An error occurred while running the query."
        return 202, result

    def _public_values(self, request: Request) -> Answer:
        row = self._shared(request)
        parameters = [each for each in row["parameters"] if each["id"] == request.ids[1]] if row else []
        if not parameters:
            return 404, "Not found."
        listed = (parameters[0].get("values_source_config") or {}).get("values", [])
        return 200, {"values": [[value] for value in listed], "has_more_values": False}

    def _public_search(self, request: Request) -> Answer:
        status, body = self._public_values(request)
        if status == 200:
            body["values"] = [value for value in body["values"] if request.ids[2].lower() in str(value[0]).lower()]
        return status, body
