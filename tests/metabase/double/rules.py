"""How the double answers each operation of the contract: the server's rules as facts tell them."""

from __future__ import annotations

import json
import random
import re
import uuid
from collections.abc import Callable

from tests.metabase.double import queries
from tests.metabase.double.profile import Profile
from tests.metabase.double.public import Answer, Config, Request, Visitors
from tests.metabase.double.state import Row, State
from tests.metabase.double.warehouse import Warehouse

MASK = "**MetabasePass**"
TRASH = 1


def _too_common(password: str) -> bool:
    return len(password) < 6 or not re.search(r"\d", password)


class Rules(Visitors):
    """Answers by operation id."""

    def __init__(self, state: State, profile: Profile, config: Config, warehouse: Warehouse) -> None:
        """Start from a state; shuffling is seeded, so that runs repeat."""
        self.state, self.profile, self.config, self.warehouse = state, profile, config, warehouse
        self._random = random.Random(7)

    def answer(self, operation: str, request: Request) -> Answer:
        """Carry out one operation."""
        handler: Callable[[Request], Answer] = getattr(self, f"_{operation}")
        return handler(request)

    def knows(self, session: str | None) -> bool:
        """Return whether a session key is valid."""
        return session is not None and session in self.state.sessions

    # start, setup, session

    def _health(self, _: Request) -> Answer:
        return 200, {"status": "ok"}

    def _properties(self, _: Request) -> Answer:
        done = bool(self.state.users)
        token = None if done or self.config.hide_setup_token else self.config.setup_token
        return 200, {
            "has-user-setup": done,
            "setup-token": token,
            "version": {"tag": self.config.version_tag or self.profile.tag, "hash": "0000000"},
            "site-url": self.config.site_url,
            "site-name": "Metabase",
            "anon-tracking-enabled": self.config.anon_tracking,
            "enable-public-sharing": self.config.public_sharing,
        }

    def _setup(self, request: Request) -> Answer:
        body = request.body
        if self.state.users:
            return (
                403,
                "The /api/setup route can only be used to create the first user, however a user currently exists.",
            )
        if body["token"] != self.config.setup_token:
            return 400, {"errors": {"token": "Token does not match the setup token."}}
        password = body["user"]["password"]
        if _too_common(password):
            return 400, {"errors": {"user": {"password": "password is too common."}}}
        self.state.users.append({"id": 1, "email": body["user"]["email"], "password": password})
        return 200, {"id": self._new_session()}

    def _log_in(self, request: Request) -> Answer:
        if self.state.failed_logins >= 10:
            return 401, {"errors": {"_error": "Too many attempts! You must wait 15 seconds before trying again."}}
        for user in self.state.users:
            if user["email"] == request.body["username"] and user["password"] == request.body["password"]:
                self.state.failed_logins = 0
                if self.config.second_factor:
                    return 200, {"mfa_required": True, "methods": ["totp"], "challenge_token": "not-a-session"}
                return 200, {"id": self._new_session()}
        self.state.failed_logins += 1
        return 401, {"errors": {"password": "did not match stored password"}}

    def _reset_password(self, request: Request) -> Answer:
        token, password = request.body["token"], request.body["password"]
        email = {**self.state.reset_tokens, **self.config.reset_tokens()}.get(token)
        if email is None or token in self.state.used_tokens:
            return 400, {"errors": {"password": "Invalid reset token"}}
        if _too_common(password):
            return 400, {"errors": {"password": "password is too common."}}
        for user in self.state.users:
            if user["email"] == email:
                user["password"] = password
        self.state.used_tokens.append(token)
        return 200, {"success": True, "session_id": self._new_session()}

    def _new_session(self) -> str:
        session = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        self.state.sessions.append(session)
        return session

    def _log_out(self, request: Request) -> Answer:
        self.state.sessions.remove(str(request.session))
        return 204, None

    def _current_user(self, _: Request) -> Answer:
        user = self.state.users[0]
        return 200, {"id": user["id"], "email": user["email"], "common_name": "Admin", "is_superuser": True}

    # databases

    def _list_databases(self, _: Request) -> Answer:
        listed = [self._masked(row) for row in self.state.databases.values()]
        return 200, {"data": listed, "total": len(listed)}

    def _create_database(self, request: Request) -> Answer:
        refusal = self.warehouse.refusal(request.body["details"])
        if refusal:
            return 400, {
                "errors": {"password": "Looks like your username or password is incorrect."},
                "message": refusal,
            }
        row = {"id": self.state.next_id(), "initial_sync_status": "incomplete", **request.body}
        self.state.databases[str(row["id"])] = row
        return 200, self._masked(row)

    def _get_database(self, request: Request) -> Answer:
        row = self.state.databases.get(request.ids[0])
        if row is None:
            return 404, "Not found."
        row["initial_sync_status"] = "complete"
        return 200, self._masked(row)

    def _update_database(self, request: Request) -> Answer:
        row = self.state.databases.get(request.ids[0])
        if row is None:
            return 404, "Not found."
        details = dict(request.body.get("details") or row["details"])
        if details.get("password") == MASK:
            details["password"] = row["details"]["password"]
        refusal = self.warehouse.refusal(details)
        if refusal:
            return 400, {"errors": {"details": refusal}}
        row |= {**request.body, "details": details}
        return 200, self._masked(row)

    def _check_database(self, request: Request) -> Answer:
        row = self.state.databases.get(request.ids[0])
        if row is None:
            return 404, "Not found."
        refusal = self.warehouse.refusal(row["details"])
        return 200, {"status": "error", "message": refusal} if refusal else {"status": "ok"}

    def _masked(self, row: Row) -> Row:
        return {**row, "details": {**row["details"], "password": MASK}}

    def _run_query(self, request: Request) -> Answer:
        return 202, queries.run(self.state, self.warehouse, queries.staged(request.body), {})

    # collections

    def _list_collections(self, request: Request) -> Answer:
        archived = request.query.get("archived") == "true"
        rows = [row for row in self.state.collections.values() if row["archived"] == archived]
        return 200, rows if archived else [{"id": "root", "name": "Our analytics"}, *rows]

    def _create_collection(self, request: Request) -> Answer:
        row = {
            "id": self.state.next_id(),
            "archived": False,
            "location": "/",
            "personal_owner_id": None,
            **request.body,
        }
        self.state.collections[str(row["id"])] = row
        return 200, row

    def _update_collection(self, request: Request) -> Answer:
        row = self.state.collections.get(request.ids[0])
        if row is None:
            return 404, "Not found."
        row |= request.body
        inside = [*self.state.cards.values(), *self.state.dashboards.values()]
        for thing in inside if "archived" in request.body else ():
            if thing["collection_id"] == row["id"]:
                thing["archived"] = request.body["archived"]
        row["location"] = f"/{TRASH}/" if row["archived"] else "/"
        return 200, row

    def _list_items(self, request: Request) -> Answer:
        if request.ids[0] not in self.state.collections:
            return 404, "Not found."
        archived = request.query.get("archived") == "true"
        items = []
        for model, table in (("card", self.state.cards), ("dashboard", self.state.dashboards)):
            for row in table.values():
                if str(row["collection_id"]) == request.ids[0] and row["archived"] == archived:
                    item_model = {"model": "dataset", "metric": "metric"}.get(row.get("type", ""), model)
                    items.append({**{k: row[k] for k in ("id", "name", "entity_id", "archived")}, "model": item_model})
        self._random.shuffle(items)
        offset, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 2000))
        return 200, {"data": items[offset : offset + limit], "total": len(items)}

    # cards

    def _list_cards(self, request: Request) -> Answer:
        archived = request.query.get("f") == "archived"
        return 200, [self._card(row) for row in self.state.cards.values() if row["archived"] == archived]

    def _create_card(self, request: Request) -> Answer:
        body = request.body
        entity = body.get("entity_id") or self._nano_id()
        if any(row["entity_id"] == entity for row in self.state.cards.values()):
            return 400, {"errors": {"entity_id": "must be unique"}}
        row = {"id": self.state.next_id(), "type": "question", "description": None, "collection_id": None} | body
        row |= {"entity_id": entity, "archived": False, "creator_id": 1, "public_uuid": None}
        problem = queries.problem(self.state, body["dataset_query"])
        if problem:
            return 400, {"errors": {"dataset_query": problem}}
        self._store_query(row)
        self.state.cards[str(row["id"])] = row
        return 200, self._card(row)

    def _nano_id(self) -> str:
        return "".join(self._random.choices("abcdefghijklmnopqrstuvwxyz0123456789_-", k=21))

    def _store_query(self, row: Row) -> None:
        row["dataset_query"] = queries.staged(row["dataset_query"])
        row["database_id"] = row["dataset_query"]["database"]
        row["result_metadata"] = []

    def _card(self, row: Row) -> Row:
        """Return a card as this version answers it."""
        query = json.loads(json.dumps(row["dataset_query"]))
        query["lib/uuid"] = str(uuid.UUID(int=row["id"]))
        for stage in query["stages"]:
            tags = stage.get("template-tags", {})
            stage["lib/uuid"] = str(uuid.UUID(int=row["id"] + 1))
            stage["template-tags"] = list(tags.values()) if self.profile.tags_as_list else tags
        return {**row, "dataset_query": query}

    def _find_card(self, key: str) -> Row | None:
        if key.isdigit():
            return self.state.cards.get(key)
        return next((row for row in self.state.cards.values() if row["entity_id"] == key), None)

    def _get_card(self, request: Request) -> Answer:
        row = self._find_card(request.ids[0])
        return (200, self._card(row)) if row else (404, "Not found.")

    def _update_card(self, request: Request) -> Answer:
        row = self.state.cards.get(request.ids[0])
        if row is None:
            return 404, "Not found."
        problem = queries.problem(self.state, request.body.get("dataset_query") or row["dataset_query"])
        if problem:
            return 400, {"errors": {"dataset_query": problem}}
        self.state.revisions += 1
        row |= request.body
        self._store_query(row)
        if request.body.get("archived"):
            for board in self.state.dashboards.values():
                board["dashcards"] = [each for each in board["dashcards"] if each["card_id"] != row["id"]]
        return 200, self._card(row)

    # dashboards

    def _list_dashboards(self, request: Request) -> Answer:
        archived = request.query.get("f") == "archived"
        hidden = ("dashcards", "tabs")
        rows = [row for row in self.state.dashboards.values() if row["archived"] == archived]
        return 200, [{key: value for key, value in row.items() if key not in hidden} for row in rows]

    def _create_dashboard(self, request: Request) -> Answer:
        row = {
            "id": self.state.next_id(),
            "description": None,
            "archived": False,
            "collection_id": None,
            "creator_id": 1,
            "entity_id": self._nano_id(),
            "width": "fixed",
            "auto_apply_filters": True,
            "points_of_interest": None,
            "public_uuid": None,
            "parameters": [],
            **request.body,
            "dashcards": [],
            "tabs": [],
        }
        self.state.dashboards[str(row["id"])] = row
        return 200, {key: value for key, value in row.items() if key not in ("dashcards", "tabs")}

    def _get_dashboard(self, request: Request) -> Answer:
        row = self.state.dashboards.get(request.ids[0])
        return (200, self._dashboard(row)) if row else (404, "Not found.")

    def _dashboard(self, row: Row) -> Row:
        """Return a dashboard with its cards inside the dashcards, in no particular order."""
        dashcards = []
        for dashcard in row["dashcards"]:
            card = self.state.cards.get(str(dashcard["card_id"]))
            dashcards.append({**dashcard, "card": self._card(card) if card else None})
        self._random.shuffle(dashcards)
        return {**row, "dashcards": dashcards}

    def _update_dashboard(self, request: Request) -> Answer:
        row = self.state.dashboards.get(request.ids[0])
        if row is None:
            return 404, "Not found."
        body = dict(request.body)
        if "dashcards" in body:
            if row["archived"]:
                return 400, {"errors": {"archived": "an archived dashboard cannot be edited"}}
            problem = self._place(row, body)
            if problem:
                return 400, {"errors": {"dashcards": problem}}
        self.state.revisions += 1
        hidden = ("dashcards", "tabs", *(["parameters"] if body.get("parameters") is None else []))
        row |= {key: value for key, value in body.items() if key not in hidden}
        return 200, self._dashboard(row)

    def _place(self, row: Row, body: Row) -> str | None:
        """Replace tabs and dashcards as a whole: absent ones go, negative ids become real; None, or the problem."""
        tab_ids = {tab["id"]: tab["id"] if tab["id"] > 0 else self.state.next_id() for tab in body.get("tabs") or []}
        if len(tab_ids) < len(body.get("tabs") or []) or len({c["id"] for c in body["dashcards"]}) < len(
            body["dashcards"]
        ):
            return "ids must be unique"
        known = {each["id"] for each in row["dashcards"]}
        dashcards: list[Row] = []
        taken: set[tuple[int | None, int, int]] = set()
        for each in body["dashcards"]:
            tab = tab_ids.get(each.get("dashboard_tab_id"))
            if tab is None and len(tab_ids) > 1:
                return "every dashcard needs a tab"
            if tab is None and tab_ids:
                tab = next(iter(tab_ids.values()))
            if each["card_id"] is not None and str(each["card_id"]) not in self.state.cards:
                return f"card {each['card_id']} does not exist"
            cells = {
                (tab, each["row"] + y, each["col"] + x) for x in range(each["size_x"]) for y in range(each["size_y"])
            }
            if each["col"] + each["size_x"] > 24 or cells & taken:
                return f"dashcard {each['id']} overlaps another or the edge"
            taken |= cells
            number = each["id"] if each["id"] in known else self.state.next_id()
            dashcards.append({"series": [], **each, "id": number, "dashboard_id": row["id"], "dashboard_tab_id": tab})
        row["dashcards"] = dashcards
        row["tabs"] = [
            {"id": tab_ids[tab["id"]], "dashboard_id": row["id"], "name": tab["name"], "position": index}
            for index, tab in enumerate(body.get("tabs") or [])
        ]
        return None

    def _publish(self, request: Request) -> Answer:
        row = self.state.dashboards.get(request.ids[0])
        if row is None or row["archived"]:
            return 404, "Not found."
        if not self.config.public_sharing:
            return 400, "Public sharing is not enabled."
        row["public_uuid"] = row["public_uuid"] or str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        return 200, {"uuid": row["public_uuid"]}

    def _unpublish(self, request: Request) -> Answer:
        row = self.state.dashboards.get(request.ids[0])
        if row is None or not row["public_uuid"]:
            return 404, "Not found."
        row["public_uuid"] = None
        return 204, None
