"""Native queries in the double: the two forms they are written in, what is wrong with them, and running them."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.metabase.double.state import Row, State
from tests.metabase.double.warehouse import QueryFailed, Warehouse, substituted


def staged(query: Row) -> Row:
    """Return a query in stages with tags as a map, whichever form it was written in."""
    copied: Row = json.loads(json.dumps(query))
    if "stages" not in copied:
        native = copied["native"]
        stage = {"lib/type": "mbql.stage/native", "native": native["query"]}
        copied = {"lib/type": "mbql/query", "database": copied["database"], "stages": [stage]}
        stage["template-tags"] = native.get("template-tags", {})
    for stage in copied["stages"]:
        tags = stage.get("template-tags", {})
        stage["template-tags"] = {tag["name"]: tag for tag in tags} if isinstance(tags, list) else tags
    return copied


def problem(state: State, query: Row) -> str | None:
    """Return why a query cannot be saved: no such database, or tags that are not those of the SQL."""
    form = staged(query)
    if str(form["database"]) not in state.databases:
        return f"database {form['database']} does not exist"
    stage = form["stages"][0]
    used = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", stage["native"]))
    declared = set(stage["template-tags"])
    if used != declared:
        return f"template tags {sorted(declared)} are not the SQL's {sorted(used)}"
    wrong = [key for key, tag in stage["template-tags"].items() if tag["name"] != key]
    return f"template tag {wrong[0]} has another name" if wrong else None


def tag_values(parameters: list[Row], mappings: list[Row], given: dict[str, Any]) -> dict[str, Any]:
    """Return values by tag for one dashcard: what the visitor gave, else the parameter's default."""
    defaults = {each["id"]: each.get("default") for each in parameters}
    values = {}
    for mapping in mappings:
        name = mapping["parameter_id"]
        values[mapping["target"][1][1]] = given.get(name, defaults.get(name))
    return values


def run(state: State, warehouse: Warehouse, query: Row, values: dict[str, Any]) -> Row:
    """Return the result of a query with `values` by tag; tags without a value take their default."""
    stage = query["stages"][0]
    tags = stage["template-tags"]
    known = {
        name: values.get(name) if values.get(name) is not None else tag.get("default") for name, tag in tags.items()
    }
    database = state.databases.get(str(query["database"]))
    if database is None:
        return {"status": "failed", "error": "no such database"}
    try:
        sql = substituted(stage["native"], {name: tag["type"] for name, tag in tags.items()}, known)
        data = warehouse.run(database["details"], sql)
    except QueryFailed as error:
        return {"status": "failed", "error": str(error)}
    return {"status": "completed", "data": data, "row_count": len(data["rows"])}
