"""One comparison for both paths of a card: Metabase's public answer and the site's export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metabase import export
from metabase.spec import Dashboard
from tests.metabase.harness import THEME, Lab


def compare_both_paths(lab: Lab, dashboards: tuple[Dashboard, ...], out: Path, *, only_ends: bool = False) -> None:
    """Apply to a Metabase, export for the site, and compare every card's rows for every combination of filters.

    `only_ends` takes the default and the last combination of each card.
    """
    applied = lab.apply(dashboards).applied
    assert applied is not None
    export.write(dashboards, THEME, out)
    admin = lab.admin()
    for dashboard in dashboards:
        public = f"/api/public/dashboard/{applied.uuids[dashboard.key]}"
        places = {each["card"]["name"]: each for each in admin.get(public).json()["dashcards"] if each["card"]}
        for each in dashboard.cards:
            data = json.loads((out / f"{each.address}.json").read_text("utf-8"))
            place = places[each.title]
            last = len(data["variants"]) - 1
            for number, variant in enumerate(data["variants"]):
                if only_ends and number not in (data["default"], last):
                    continue
                parameters = [{"id": key, "value": _given(value)} for key, value in variant["values"].items()]
                path = f"{public}/dashcard/{place['id']}/card/{place['card_id']}"
                answer = admin.get(path, params={"parameters": json.dumps(parameters)}).json()
                assert answer["status"] == "completed", (each.address, answer)
                names = [column["name"] for column in answer["data"]["cols"]]
                assert names == [column["name"] for column in data["columns"]]
                assert answer["data"]["rows"] == variant["rows"], (each.address, variant["values"])


def _given(value: Any) -> Any:
    return value if value is None or (isinstance(value, str) and value[:4].isdigit()) else [str(value)]
