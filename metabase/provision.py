"""The provisioner's commands, from an open session to what they print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from metabase import session
from metabase.applying import Applied, Apply
from metabase.client import Client, MetabaseError
from metabase.desired import desired_state
from metabase.links import links, write_json
from metabase.plan import ARCHIVABLE, Instance, Plan, make_plan
from metabase.reading import database_state, read_instance
from metabase.settings import Target
from metabase.spec import Dashboard
from metabase.theme import Theme

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What the command line may change about a run."""

    prune: bool = False
    rotate: bool = False
    any_version: bool = False
    wait_s: int = session.WAIT_S


@dataclass(frozen=True)
class Outcome:
    """What a run found and did."""

    plan: Plan
    instance: Instance
    applied: Applied | None
    requests: int
    writes: int


def run(
    client: Client,
    target: Target,
    dashboards: tuple[Dashboard, ...],
    theme: Theme,
    tell: Tell,
    *,
    write: bool,
    options: Options | None = None,
) -> Outcome:
    """Read, plan and, with `write`, apply; the session is closed whatever happens. Raises MetabaseError."""
    options = options or Options()
    try:
        for warning in session.open_session(client, target, any_version=options.any_version, wait_s=options.wait_s):
            tell(f"warning: {warning}")
        desired = desired_state(dashboards, theme, target.namespace)
        instance = read_instance(client, target, desired)
        if instance.conflicts:
            raise MetabaseError("; ".join(instance.conflicts))
        wanted = database_state(target)
        plan = make_plan(desired, instance, wanted, target.collection, prune=options.prune, rotate=options.rotate)
        applied = Apply(client, target, desired, instance, tell).run(plan) if write else None
    finally:
        session.close_session(client)
    for warning in applied.warnings if applied else ():
        tell(f"warning: {warning}")
    return Outcome(plan, instance, applied, client.requests, client.writes)


def plan_lines(plan: Plan) -> list[str]:
    """Return what `plan` and `check` print: every action with its differences, then what is unknown."""
    lines = []
    for action in plan.actions:
        lines.append(str(action))
        lines += [f"    {change}" for change in action.changes]
    return lines + unknown_lines(plan)


def unknown_lines(plan: Plan) -> list[str]:
    """Return a line for everything in our collection that stays there although the definitions do not know it."""
    lines = []
    archived = {(action.kind, action.id) for action in plan.actions if action.verb == "archive"}
    for unknown in plan.unknown:
        if (unknown.model, unknown.id) not in archived:
            fate = "--prune archives it" if unknown.model in ARCHIVABLE else "archive it by hand"
            lines.append(f"unknown {unknown.model} {unknown.name!r} (id {unknown.id}): not in the definitions; {fate}")
    return lines


def write_links(path: Path, dashboards: tuple[Dashboard, ...], uuids: dict[str, str], tell: Tell) -> None:
    """Write links.json; tell when it changed, because the site holds a copy."""
    if write_json(path, links(dashboards, uuids)):
        tell(f"{path}: written; rebuild the site if it was built before")


def published_uuids(instance: Instance) -> dict[str, str]:
    """Return the public uuids by dashboard key, as read."""
    found = {key: each.raw.get("public_uuid") for key, each in instance.dashboards.items()}
    return {key: uuid for key, uuid in found.items() if uuid}
