"""A selection that names what is not there is answered with what is near."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from warehouse.selection import hint, unknown_names

MANIFEST = {
    "nodes": {
        "model.t.dim_users": {"name": "dim_users", "fqn": ["t", "star", "dim_users"], "tags": ["core"]},
        "model.t.dim_dates": {"name": "dim_dates", "fqn": ["t", "star", "dim_dates"], "tags": ["core", "daily"]},
    },
    "sources": {"source.t.raw.users": {"name": "users", "fqn": ["t", "raw", "users"], "tags": []}},
    "exposures": {},
    "unit_tests": {},
}


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ("dim_user", ["found no dim_user, near: dim_users"]),
        ("+dim_user+", ["found no +dim_user+, near: dim_users"]),
        ("2+dim_users+1 @dim_dates star t", []),
        ("tag:cor", ["found no tag:cor, near: tag:core"]),
        ("tag:core,dim_dats", ["found no dim_dats, near: dim_dates"]),
        ("zzzzzzzz dim_datez", ["found no zzzzzzzz", "found no dim_datez, near: dim_dates"]),
        ("source:raw path:models/x state:modified dim_*", []),
    ],
)
def test_what_is_not_there_is_named_with_what_is_near(selection: str, said: list[str]) -> None:
    nearest = [re.sub("(near: [^,]+),.*", r"\1", text) for text in unknown_names(selection, MANIFEST)]
    assert nearest == said


def test_the_selection_is_found_in_a_command(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    assert hint(["dbt", "build", "--select", "tag:dayly"], tmp_path) == "found no tag:dayly, near: tag:daily"
    assert hint(["dbt", "build"], tmp_path) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"nodes": {"a": {}}}'])
def test_without_a_manifest_there_is_no_hint(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    assert hint(["dbt", "build", "--select", "x"], tmp_path) is None
    assert hint(["dbt", "build", "--select", "x"], tmp_path / "absent") is None
