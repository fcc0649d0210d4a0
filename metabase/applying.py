"""Carry out a plan: database, collection, cards (run, then saved), dashboards, public links; then look as a visitor.

Every card that changes is run before anything is saved, so that a broken one changes nothing and is found again at the
next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from metabase import reading
from metabase.client import Client, MetabaseError, Refused
from metabase.desired import Desired, DesiredCard, DesiredDashboard, State, native_query
from metabase.normalise import Places, card_state, dashboard_state
from metabase.plan import Action, Found, Instance, Plan, dashcards_to_send, differences
from metabase.settings import Target

Raw = dict[str, Any]
ARCHIVE_PATHS = {"dashboard": "dashboard", "collection": "collection"}  # a model or metric is a card to the API
PRIVATE = ("dataset_query", "creator_id", "collection_id")


@dataclass
class Applied:
    """What apply leaves: public uuids by dashboard key, and warnings worth printing."""

    uuids: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Apply:
    """One run of apply; holds the ids as they become known."""

    def __init__(
        self, client: Client, target: Target, desired: Desired, instance: Instance, tell: Callable[[str], None]
    ) -> None:
        """Take what was read; nothing is written before `run`."""
        self.client, self.target, self.desired, self.tell = client, target, desired, tell
        self.database_id = instance.database.id if instance.database else 0
        self.collection_id = instance.collection.id if instance.collection else 0
        self.card_ids = {entity_id: found.id for entity_id, found in instance.cards.items()}
        self.dashboards: dict[str, Mapping[str, Any]] = {key: found.raw for key, found in instance.dashboards.items()}
        uuids = {key: found.raw.get("public_uuid") for key, found in instance.dashboards.items()}
        self.done = Applied({key: uuid for key, uuid in uuids.items() if uuid})

    def run(self, plan: Plan) -> Applied:
        """Carry out every action; raises MetabaseError, and may be run again after it."""
        connections = plan.of("database", "create", "update")
        for action in connections:
            self._database(action)
        cards = {card.entity_id: card for card in self.desired.cards}
        changed = plan.of("card", "create", "update")
        self._try_cards(cards.values() if connections else [cards[action.key] for action in changed])
        for action in plan.of("collection", "create", "update"):
            self._collection(action)
        for action in changed:
            self._card(action, cards[action.key])
        boards = {board.key: board for board in self.desired.dashboards}
        written = plan.of("dashboard", "create", "update")
        for action in written:
            self._dashboard(action, boards[action.key])
        for action in plan.of("dashboard", "publish"):
            self._publish(action)
        for board in self.desired.dashboards:
            self._look(board, run=any(action.key == board.key for action in written))
        for action in plan.actions:
            if action.verb == "archive":
                self.tell(str(action))
                self.client.put(f"/api/{ARCHIVE_PATHS.get(action.kind, 'card')}/{action.id}", {"archived": True})
        return self.done

    def _places(self) -> Places:
        return Places(self.database_id, self.collection_id)

    def _database(self, action: Action) -> None:
        self.tell(str(action))
        details = {**self.target.warehouse, "password": self.target.reader_password}
        body = {"name": self.target.database, "engine": reading.ENGINE, "details": details}
        try:
            if action.id is None:
                find = partial(_raw, reading.find_database, self.client, self.target)
                self.database_id = self.client.create(find, "/api/database", body | {"is_full_sync": False})["id"]
            else:
                self.client.put(f"/api/database/{action.id}", {"name": body["name"], "details": details})
        except Refused as error:
            raise self._database_error(str(error)) from None
        if not reading.works(self.client, self.database_id):
            raise self._database_error("the connection check failed")

    def _database_error(self, told: str) -> MetabaseError:
        where = "{user} at {host}:{port}/{dbname}".format(**self.target.warehouse)
        return MetabaseError(
            f"database: expected Metabase to connect as {where}, found: {told}; check that the server accepts "
            "that user with the password in PORTFOLIO_READER_PASSWORD_FILE from Metabase's network, then run again"
        )

    def _collection(self, action: Action) -> None:
        self.tell(str(action))
        if action.id is not None:
            self.client.put(f"/api/collection/{action.id}", {"archived": False})
            return
        find = partial(_raw, reading.find_collection, self.client, self.target)
        self.collection_id = self.client.create(find, "/api/collection", {"name": self.target.collection})["id"]

    def _card(self, action: Action, card: DesiredCard) -> None:
        self.tell(str(action))
        state = card.state
        body = {
            "name": state["name"],
            "description": state["description"],
            "type": state["type"],
            "display": state["display"],
            "dataset_query": native_query(state, card.entity_id, self.database_id),
            "visualization_settings": state["settings"],
            "collection_id": self.collection_id,
        }
        if action.id is None:
            find = partial(reading.find_card, self.client, card.entity_id)
            raw = self.client.create(find, "/api/card", body | {"entity_id": card.entity_id})
        else:
            raw = self.client.put(f"/api/card/{action.id}", body | {"archived": False})
        self.card_ids[card.entity_id] = raw["id"]
        self._compare(f"card {card.address}", card_state(raw, self._places()), state)

    def _compare(self, what: str, kept: State, sent: State) -> None:
        """Warn where Metabase kept something else than was sent: the next plan would show it again, for ever."""
        self.done.warnings += [f"{what}: Metabase kept something else, {change}" for change in differences(kept, sent)]

    def _try_cards(self, cards: Iterable[DesiredCard]) -> None:
        """Run the queries of cards that are not saved yet, all of them before the first error is reported."""
        problems = []
        for card in cards:
            query = native_query(card.state, card.entity_id, self.database_id)
            answer = self.client.post_again("/api/dataset", query) or {}
            if answer.get("status") != "completed":
                told = self.client.clean(" ".join(str(answer.get("error") or "no message").split()))
                problems.append(f"card {card.address}: expected rows, found an error: {told[:300]}")
        if problems:
            told = "; ".join(problems)
            raise MetabaseError(f"{told}; nothing was changed: correct the SQL or run `make dbt-build`, then run again")

    def _dashboard(self, action: Action, board: DesiredDashboard) -> None:
        self.tell(str(action))
        state, raw = board.state, self.dashboards.get(board.key)
        if raw is None:
            body = {"name": state["name"], "description": state["description"], "collection_id": self.collection_id}
            raw = self.client.create(partial(self._half_made, state["name"]), "/api/dashboard", body)
        elif raw.get("archived"):
            self.client.put(f"/api/dashboard/{raw['id']}", {"archived": False, "collection_id": self.collection_id})
        tabs, dashcards = dashcards_to_send(state, raw, self.card_ids)
        body = {key: state[key] for key in ("name", "description", "width", "auto_apply_filters", "parameters")}
        body |= {"points_of_interest": state["marker"], "collection_id": self.collection_id}
        body |= {"tabs": tabs, "dashcards": dashcards}
        raw = self.client.put(f"/api/dashboard/{raw['id']}", body)
        self.dashboards[board.key] = raw
        entity_ids = {card_id: entity_id for entity_id, card_id in self.card_ids.items()}
        self._compare(f"dashboard {board.key}", dashboard_state(raw, self._places(), entity_ids), state)

    def _half_made(self, name: str) -> Raw | None:
        """Return the empty dashboard that a POST without an answer may have made."""
        collection = reading.find_collection(self.client, self.target)
        for item in reading.collection_items(self.client, collection):
            if item["model"] == "dashboard" and item["name"] == name:
                raw: Raw = self.client.get(f"/api/dashboard/{item['id']}")
                if reading.is_empty(raw) and not raw.get("points_of_interest"):
                    return raw
        return None

    def _publish(self, action: Action) -> None:
        self.tell(str(action))
        try:
            answer = self.client.post_again(f"/api/dashboard/{self.dashboards[action.key]['id']}/public_link")
        except Refused as error:
            raise _sharing_error(action.key, str(error)) from None
        self.done.uuids[action.key] = answer["uuid"]

    def _look(self, board: DesiredDashboard, run: bool) -> None:
        """Look at a dashboard as a visitor: it is there, tells no SQL, and after a change its first card has rows."""
        path = f"/api/public/dashboard/{self.done.uuids[board.key]}"
        try:
            public = self.client.get(path)
            shown = [each for each in public["dashcards"] if each.get("card_id")]
            for first in shown[:1] if run else []:
                answer = self.client.get(f"{path}/dashcard/{first['id']}/card/{first['card_id']}")
                if answer.get("status") != "completed":
                    raise MetabaseError(f"public dashboard {board.key}: expected rows, found {answer.get('error')}")
        except Refused as error:
            raise _sharing_error(board.key, str(error)) from None
        leaks = sorted({word for each in shown for word in PRIVATE if _tells(each.get("card") or {}, word)})
        if leaks:
            self.done.warnings.append(
                f"public dashboard {board.key} tells {', '.join(leaks)}; do not route it publicly"
            )


def _sharing_error(key: str, told: str) -> MetabaseError:
    return MetabaseError(
        f"public dashboard {key}: expected public sharing to work, found {told}; "
        "set MB_ENABLE_PUBLIC_SHARING=true for Metabase and run again"
    )


def _tells(card: Mapping[str, Any], word: str) -> bool:
    """Return whether a public card tells more than its masked form: a query's text other than '-' or its maker."""
    value = card.get(word)
    if word != "dataset_query":
        return value is not None
    return "select" in str(value).lower()


def _raw(find: Callable[[Client, Target], Found | None], client: Client, target: Target) -> Raw | None:
    found = find(client, target)
    return None if found is None else {**found.raw, "id": found.id}
