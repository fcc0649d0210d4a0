"""The commands of `python -m metabase`: parse, run, report."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from metabase import export, lint, provision
from metabase.client import Client, MetabaseError
from metabase.definitions import FOLDER, read_dashboards
from metabase.links import links
from metabase.password import printed_token, set_password
from metabase.settings import read_target
from metabase.spec import DefinitionError
from metabase.theme import read_theme

EXAMPLES = """\
examples:
  python -m metabase lint --no-database     check definitions and SQL texts
  python -m metabase lint --runs 20         and run every card 20 times as portfolio_reader against its budget
  python -m metabase export                 write what the site draws
  python -m metabase plan                   show what apply would change; changes nothing
  python -m metabase apply                  set Metabase up and make it equal to the definitions
  python -m metabase apply --prune          and archive what the definitions do not know
  python -m metabase check                  exit 1 when Metabase differs from the definitions
  python -m metabase links                  print the public addresses as JSON
  python -m metabase password <printed      take the admin's password from the secret (`make metabase-password`)

environment of plan, apply, check, links and password:
  METABASE_URL (http://localhost:3000), METABASE_ADMIN_EMAIL, METABASE_ADMIN_PASSWORD_FILE,
  PORTFOLIO_READER_PASSWORD_FILE, PGHOST, PGPORT, PGDATABASE (the warehouse as Metabase sees it),
  METABASE_SETUP_TOKEN_FILE (only where Metabase has MB_SETUP_TOKEN), METABASE_LINKS_FILE
"""


PROVISIONER = {
    "plan": "show what apply would change",
    "apply": "make Metabase equal to the definitions",
    "check": "exit 1 when Metabase differs from the definitions",
    "links": "print the public addresses as JSON",
}


def tell(text: str) -> None:
    """Print a line for people; stdout is for data."""
    print(text, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    top = argparse.ArgumentParser(
        prog="python -m metabase",
        description="Dashboards as code: check them, export them for the site, provision Metabase with them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    told = "folder with dashboards/*.yml and cards/*/*.sql (default: those of this repository)"
    common.add_argument("--definitions", type=Path, default=FOLDER, metavar="DIR", help=told)
    lint = commands.add_parser("lint", parents=[common], help="check definitions, SQL, columns, plans and budgets")
    lint.add_argument("--no-database", action="store_true", help="check only what needs no database")
    told = "run every card N times, check its p95 budget and print the p95 as CSV"
    lint.add_argument("--runs", type=_count, default=0, metavar="N", help=told)
    told = "multiply budgets (4 at 10M requests)"
    lint.add_argument("--budget-factor", type=float, default=1.0, metavar="F", help=told)
    write = commands.add_parser("export", parents=[common], help="write all cards' layout and rows for the site")
    out = Path(os.environ.get("TOKENSCOPE_DATA_DIR") or ".data") / "site" / "dashboards"
    told = "folder to write, replaced as a whole (default: %(default)s)"
    write.add_argument("--out", type=Path, default=out, metavar="DIR", help=told)
    for name, told in PROVISIONER.items():
        command = commands.add_parser(name, parents=[common], help=told)
        command.add_argument("--any-version", action="store_true", help="go on with a version of Metabase never tried")
        command.add_argument("--wait", type=_count, default=300, metavar="S", help="seconds to wait for it (300)")
        command.add_argument("--verbose", action="store_true", help="print every request")
        if name in ("plan", "apply"):
            command.add_argument("--prune", action="store_true", help="archive what the definitions do not know")
            command.add_argument("--rotate", action="store_true", help="write the database password again")
    told = "set the admin's password to the secret's; stdin: what Metabase's reset-password printed"
    password = commands.add_parser("password", help=told)
    password.add_argument("--wait", type=_count, default=300, metavar="S", help="seconds to wait for Metabase (300)")
    return top


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number, found {text!r}")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code."""
    options = parser().parse_args(arguments)
    started = time.monotonic()
    try:
        others = {"lint": run_lint, "export": run_export, "password": run_password}
        code, told = others.get(options.command, run_provisioner)(options)
    except DefinitionError as error:
        for problem in error.problems:
            tell(f"{os.path.relpath(options.definitions)}/{problem}")
        tell(f"{options.command}: {len(error.problems)} problems in the definitions; docs/dashboards.md describes them")
        return 1
    except (MetabaseError, OSError) as error:
        tell(f"{options.command}: {error}")
        return 1
    except KeyboardInterrupt:
        tell(f"{options.command}: interrupted; run the command again to finish")
        return 130
    tell(f"{options.command}: {told} in {time.monotonic() - started:.1f} s")
    return code


def run_lint(options: argparse.Namespace) -> tuple[int, str]:
    """Check the definitions, with a database unless told otherwise."""
    theme = read_theme()
    dashboards = read_dashboards(options.definitions, theme)
    count = sum(len(board.cards) for board in dashboards)
    if not options.no_database:
        times = lint.check_database(dashboards, runs=options.runs, budget_factor=options.budget_factor)
        if times:
            print("card,p95_ms", *(f"{card},{p95:.1f}" for card, p95 in times.items()), sep="\n")
    return 0, f"{len(dashboards)} dashboards, {count} cards, no problems"


def run_export(options: argparse.Namespace) -> tuple[int, str]:
    """Write the site's copy of the dashboards."""
    theme = read_theme()
    return 0, export.write(read_dashboards(options.definitions, theme), theme, options.out)


def run_password(options: argparse.Namespace) -> tuple[int, str]:
    """Set the admin's password with the token on stdin."""
    target = read_target()
    token = printed_token(sys.stdin.read())
    set_password(Client(target.url, secrets=(*target.secrets, token)), target, token, options.wait)
    return 0, f"{target.email} has the password of the secret"


def run_provisioner(options: argparse.Namespace) -> tuple[int, str]:
    """Plan, apply, check or print links."""
    theme = read_theme()
    dashboards = read_dashboards(options.definitions, theme)
    target = read_target()
    client = Client(target.url, secrets=target.secrets, log=tell if options.verbose else lambda _: None)
    chosen = provision.Options(
        prune=getattr(options, "prune", False),
        rotate=getattr(options, "rotate", False),
        any_version=options.any_version,
        wait_s=options.wait,
    )
    write = options.command == "apply"
    outcome = provision.run(client, target, dashboards, theme, tell, write=write, options=chosen)
    counts = f"{outcome.requests} requests"
    if outcome.applied is not None:
        path = Path(os.environ.get("METABASE_LINKS_FILE") or ".data/metabase/links.json")
        provision.write_links(path, dashboards, outcome.applied.uuids, tell)
        for line in provision.unknown_lines(outcome.plan):
            tell(line)
        return 0, f"{len(outcome.plan.actions)} actions, {outcome.writes} writes, {counts}"
    if options.command == "links":
        uuids = provision.published_uuids(outcome.instance)
        print(json.dumps(links(dashboards, uuids), indent=2))
        return int(len(uuids) < len(dashboards)), f"{len(uuids)} of {len(dashboards)} dashboards published, {counts}"
    for line in provision.plan_lines(outcome.plan):
        print(line)
    drift = bool(outcome.plan.actions)
    return int(drift and options.command == "check"), f"{len(outcome.plan.actions)} actions, {counts}"
