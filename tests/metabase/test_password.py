"""A lost password: from what Metabase's own reset-password prints to an admin who has the secret's password."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import httpx
import pytest

from metabase import cli
from metabase.client import MetabaseError
from metabase.password import printed_token, set_password
from metabase.settings import Target
from tests.metabase.double.faults import Fault, Faults
from tests.metabase.double.public import Config
from tests.metabase.double.reset import make_token
from tests.metabase.harness import Lab, demo

Labs = Callable[..., Lab]
NEW = "another-secret-2"


def lost(lab: Lab) -> tuple[Lab, str]:
    """Set Metabase up, then return a lab whose secret has changed, and what Metabase's program prints."""
    lab.apply(demo())
    assert lab.double is not None
    token, printed = make_token(lab.double.state.users, lab.target.email)
    assert token is not None
    lab.double.state.reset_tokens[token] = lab.target.email
    return lab.changed(password=NEW), printed


def test_admin_gets_the_password_of_the_secret(lab: Lab) -> None:
    changed, printed = lost(lab)
    with pytest.raises(MetabaseError, match="make metabase-password"):
        changed.apply(demo())
    set_password(changed.client(), changed.target, printed_token(printed))
    assert changed.apply(demo()).writes == 0
    with pytest.raises(MetabaseError, match="set up with another password"):
        lab.apply(demo())


def test_no_session_and_no_secret_is_left_behind(labs: Labs) -> None:
    changed, printed = lost(labs("v58"))
    assert changed.double is not None
    set_password(changed.client(), changed.target, printed_token(printed))
    assert changed.double.state.sessions == []
    assert NEW not in "\n".join(changed.told)


@pytest.mark.parametrize("kind", ["503", "reset_before", "reset_after"])
def test_reset_survives_a_lost_answer(labs: Labs, kind: str) -> None:
    lab = labs("v65", faults=Faults([Fault(kind, "POST", "/api/session/reset_password")]))  # type: ignore[arg-type]
    changed, printed = lost(lab)
    set_password(changed.client(), changed.target, printed_token(printed))
    assert changed.apply(demo()).writes == 0


def test_token_holds_once(labs: Labs) -> None:
    changed, printed = lost(labs("v64"))
    set_password(changed.client(), changed.target, printed_token(printed))
    again = changed.changed(password="third-secret-3")
    with pytest.raises(MetabaseError, match=r"found 400: Invalid reset token; .*run `make metabase-password` again"):
        set_password(again.client(), again.target, printed_token(printed))


def test_weak_password_is_named(labs: Labs) -> None:
    changed, printed = lost(labs("v58"))
    weak = changed.changed(password="weak")
    with pytest.raises(MetabaseError, match="password is too common"):
        set_password(weak.client(), weak.target, printed_token(printed))


def test_token_is_found_among_log_lines() -> None:
    printed = "2026-11-21 INFO db.setup :: OK\nResetting password for a@b.c...\n\nOK [[[1_7db2-x]]]\nINFO core :: bye\n"
    assert printed_token(printed) == "1_7db2-x"


@pytest.mark.parametrize(
    "printed, told",
    [
        (
            "Resetting...\n\nFAIL [[[No user found with email\naddress 'x'.]]]\n",
            "found: No user found with email address 'x'; correct",
        ),
        (
            "Caused by: FATAL: password authentication failed\n",
            "found: Caused by: FATAL: password authentication failed",
        ),
        ("", "found: no output"),
    ],
)
def test_failure_of_metabases_program_is_told(printed: str, told: str) -> None:
    with pytest.raises(MetabaseError, match=re.escape(told)):
        printed_token(printed)


def test_unknown_email_fails_as_metabases_program_does(labs: Labs) -> None:
    lab = labs("v58")
    lab.apply(demo())
    assert lab.double is not None
    token, printed = make_token(lab.double.state.users, "nobody@example.com")
    assert token is None
    with pytest.raises(MetabaseError, match=r"No user found with email address 'nobody@example\.com'"):
        printed_token(printed)


def test_second_factor_is_named(labs: Labs) -> None:
    lab = labs("v65", config=Config(second_factor=True))
    lab.apply(demo())
    with pytest.raises(MetabaseError, match=r"found a second factor asked for \(totp\); .*switch two-factor login off"):
        lab.apply(demo())


def test_command_reads_the_token_from_stdin(
    labs: Labs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, printed = lost(labs("v58"))
    target: Target = changed.target
    for name, value in {
        "METABASE_URL": target.url,
        "METABASE_ADMIN_EMAIL": target.email,
        "METABASE_ADMIN_PASSWORD": NEW,
        "PORTFOLIO_READER_PASSWORD": target.reader_password,
        "PGHOST": "db",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.StringIO(printed))
    assert cli.main(["password"]) == 0
    assert f"password: {target.email} has the password of the secret in " in capsys.readouterr().err
    login = {"username": target.email, "password": NEW}
    assert httpx.post(f"{target.url}/api/session", json=login, trust_env=False).status_code == 200
    monkeypatch.setattr("sys.stdin", io.StringIO(printed))
    assert cli.main(["password"]) == 1
    told = capsys.readouterr().err
    assert "Invalid reset token" in told and printed_token(printed) not in told and NEW not in told
