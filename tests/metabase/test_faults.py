"""Whatever fails, however late: the message says what to do, the next run finishes, and nothing is there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import get_args

import pytest

from metabase.client import MetabaseError
from tests.metabase.double.faults import Fault, Faults, Kind
from tests.metabase.double.public import Config
from tests.metabase.double.warehouse import PaperWarehouse
from tests.metabase.harness import READER_PASSWORD, Lab, board, card, define, demo

Labs = Callable[..., Lab]
SMALL = define(demo=board(card("a"), card("b")))


def things(lab: Lab) -> Counter[tuple[str, str]]:
    """Count everything in the double by kind and name."""
    assert lab.double is not None
    state = lab.double.state
    tables = {"database": state.databases, "collection": state.collections, "card": state.cards}
    tables["dashboard"] = state.dashboards
    return Counter((kind, row["name"]) for kind, rows in tables.items() for row in rows.values())


@pytest.mark.parametrize("profile", ["v58", "v64", "v65"])
@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_request_failing_once_leaves_no_duplicates(labs: Labs, profile: str, kind: Kind) -> None:
    clean = labs(profile)
    count = clean.apply(SMALL).requests
    expected = things(clean)
    for number in range(count):
        lab = labs(profile, faults=Faults([Fault(kind, path="/api/(?!health).*", skip=number)]))
        try:
            lab.apply(SMALL)
        except MetabaseError:
            lab.apply(SMALL)
        assert things(lab) == expected, f"{kind} at request {number}"
        assert lab.plan(SMALL).plan.actions == ()
        lab.close()


@pytest.mark.parametrize("kind", ["503", "reset_before"])
def test_request_that_keeps_failing_ends_with_a_message_and_can_be_run_again(labs: Labs, kind: Kind) -> None:
    lab = labs("v58", faults=Faults([Fault(kind, "POST", "/api/card", times=50)]))
    with pytest.raises(MetabaseError, match=r"POST /api/card.*5 times; .*then run the command again"):
        lab.apply(SMALL)
    assert lab.double is not None
    lab.double.faults.pending.clear()
    lab.apply(SMALL)
    assert max(things(lab).values()) == 1


def test_answers_that_always_get_lost_are_looked_up(labs: Labs) -> None:
    lab = labs(
        "v58", faults=Faults([Fault("reset_after", "POST", "/api/(card|dashboard|collection|database)", times=50)])
    )
    lab.apply(SMALL)
    assert max(things(lab).values()) == 1
    assert lab.plan(SMALL).plan.actions == ()


def test_read_that_keeps_failing_is_given_up(labs: Labs) -> None:
    lab = labs("v58", faults=Faults([Fault("503", "GET", "/api/database", times=50)]))
    with pytest.raises(MetabaseError, match="GET /api/database: expected success, found 503"):
        lab.apply(SMALL)
    assert len(lab.slept) == 4


def test_slow_start_is_waited_for(labs: Labs) -> None:
    lab = labs("v64", faults=Faults(initializing_requests=20, resets_after_start=3))
    lab.apply(SMALL)
    assert lab.slept.count(1.0) >= 20


def test_metabase_that_never_starts_is_named(labs: Labs) -> None:
    lab = labs("v58", faults=Faults(initializing_requests=10**6))
    with pytest.raises(MetabaseError, match=r"to become healthy within 5 s, found: 503 .*initializing.*METABASE_URL"):
        lab.apply(SMALL, wait_s=5)


def test_nobody_at_the_address_is_named(labs: Labs) -> None:
    lab = labs("v58").changed(url="http://127.0.0.1:9")
    with pytest.raises(MetabaseError, match=r"expected Metabase at http://127.0.0.1:9 .*found: no answer"):
        lab.apply(SMALL, wait_s=3)


def test_wrong_password_after_a_volume_was_reused(labs: Labs) -> None:
    lab = labs("v58")
    lab.apply(SMALL)
    remedy = r"set up with another password: put that one back .*, or run `make metabase-password`"
    with pytest.raises(MetabaseError, match=remedy) as caught:
        lab.changed(password="another-secret-2").apply(SMALL)
    assert "another-secret-2" not in str(caught.value)


def test_throttled_login_is_waited_for_once_then_named(labs: Labs) -> None:
    lab = labs("v58")
    lab.apply(SMALL)
    assert lab.double is not None
    lab.double.state.failed_logins = 19
    with pytest.raises(MetabaseError, match="too many failed logins, wait 15 s and run the command again"):
        lab.apply(SMALL)
    assert 15.0 in lab.slept


def test_login_after_the_throttle_ended(labs: Labs) -> None:
    lab = labs("v58")
    lab.apply(SMALL)
    assert lab.double is not None
    lab.double.state.failed_logins = 19
    double = lab.double
    other = Lab(lab.target, double)
    client = other.client()
    client.sleep = lambda _: setattr(double.state, "failed_logins", 0)
    from metabase import session

    session.open_session(client, lab.target)
    session.close_session(client)


def test_missing_setup_token_names_the_variable(labs: Labs) -> None:
    lab = labs("v58", config=Config(hide_setup_token=True))
    with pytest.raises(MetabaseError, match="METABASE_SETUP_TOKEN_FILE"):
        lab.apply(SMALL)
    lab.changed(setup_token=Config.setup_token).apply(SMALL)


def test_wrong_setup_token_is_named(labs: Labs) -> None:
    lab = labs("v58").changed(setup_token="wrong")
    with pytest.raises(MetabaseError, match=r"first-time setup refused: .*Token does not match"):
        lab.apply(SMALL)


def test_weak_admin_password_is_named(labs: Labs) -> None:
    lab = labs("v58").changed(password="weak")
    with pytest.raises(MetabaseError, match="password is too common"):
        lab.apply(SMALL)


def test_setup_race_ends_in_a_login(labs: Labs) -> None:
    lab = labs("v58", faults=Faults([Fault("reset_after", "POST", "/api/setup")]))
    lab.apply(SMALL)
    assert max(things(lab).values()) == 1


@pytest.mark.parametrize("tag", ["v0.57.9", "v0.66.0", "v1.70.2", "vUNKNOWN"])
def test_version_outside_the_range_stops_before_any_write(labs: Labs, tag: str) -> None:
    lab = labs("v58", config=Config(version_tag=tag))
    with pytest.raises(MetabaseError, match=f"expected Metabase v0.58 to v0.65, found {tag}; pin the image"):
        lab.apply(SMALL)
    assert lab.double is not None
    assert lab.double.writes() == []
    lab.apply(SMALL, any_version=True)
    assert any(line.startswith("warning: expected Metabase v0.58 to v0.65") for line in lab.told)


def test_version_with_known_holes_is_warned_about(labs: Labs) -> None:
    lab = labs("v58", config=Config(version_tag="v0.58.27", anon_tracking=True))
    lab.apply(SMALL)
    warnings = [line for line in lab.told if line.startswith("warning")]
    assert len(warnings) == 2
    assert "v0.58.28" in warnings[0]
    assert "MB_ANON_TRACKING_ENABLED" in warnings[1]


def test_refusing_database_is_named_without_its_password(labs: Labs) -> None:
    lab = labs("v58").changed(reader_password="wrong-reader-secret")
    with pytest.raises(
        MetabaseError, match=r"portfolio_reader at db:5432/tokenscope.*PORTFOLIO_READER_PASSWORD_FILE"
    ) as e:
        lab.apply(SMALL)
    assert "wrong-reader-secret" not in str(e.value)
    lab.changed(reader_password=READER_PASSWORD).apply(SMALL)
    assert max(things(lab).values()) == 1


def test_connection_that_stopped_working_is_written_again(labs: Labs) -> None:
    paper = PaperWarehouse()
    lab = labs("v58", warehouse=paper)
    lab.apply(SMALL)
    paper.password = "rotated"
    assert [str(a) for a in lab.plan(SMALL).plan.actions] == ["update database Tokenscope warehouse"]
    lab.changed(reader_password="rotated").apply(SMALL)
    assert lab.changed(reader_password="rotated").plan(SMALL).plan.actions == ()


def test_rotate_writes_a_connection_that_looks_right(labs: Labs) -> None:
    lab = labs("v58")
    lab.apply(SMALL)
    assert lab.apply(SMALL, rotate=True).writes == 1


def test_switched_off_sharing_names_the_variable(labs: Labs) -> None:
    lab = labs("v58", config=Config(public_sharing=False))
    with pytest.raises(MetabaseError, match="MB_ENABLE_PUBLIC_SHARING=true"):
        lab.apply(SMALL)


def test_lost_application_database_gives_new_links(labs: Labs) -> None:
    lab = labs("v58")
    before = lab.apply(demo()).applied
    assert lab.double is not None
    lab.double.forget()
    lab.double.rules._random.seed(8)
    after = lab.apply(demo()).applied
    assert before is not None and after is not None
    assert before.uuids.keys() == after.uuids.keys()
    assert before.uuids != after.uuids


def test_two_connections_of_one_name_stop_everything(labs: Labs) -> None:
    lab = labs("v58")
    lab.apply(SMALL)
    assert lab.double is not None
    state = lab.double.state
    row = next(iter(state.databases.values()))
    state.databases["99"] = {**row, "id": 99}
    with pytest.raises(
        MetabaseError, match=r"expected one database connection .* found 2 .*rename or archive all but one"
    ):
        lab.apply(SMALL)


def test_secrets_never_reach_log_or_errors(labs: Labs) -> None:
    lab = labs("v58", faults=Faults([Fault("503", "GET", "/api/card", times=2)]))
    lab.apply(SMALL)
    assert lab.double is not None
    text = "\n".join(lab.told)
    assert "POST /api/setup 200" in text
    for secret in (*lab.target.secrets, *lab.double.state.sessions, "X-Metabase-Session"):
        assert secret not in text
    assert not any(secret in repr(lab.target) for secret in lab.target.secrets)
    assert lab.double.state.sessions == []
