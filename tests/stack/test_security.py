"""What an attacker finds on the running stack: ports, users, file systems, secrets, and what the reader may do."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.stack.project import LONG_RUNNING, ONE_SHOTS, Project

ALL = [*LONG_RUNNING, *ONE_SHOTS]
OWN_IMAGES = ["traefik", "pipeline", "forecaster", "site-build", "frontend"]


def secrets(stack: Project) -> dict[str, str]:
    """Return the secrets by name, certificate and key of TLS included."""
    return {path.name: path.read_text().strip() for path in (stack.folder / "secrets").iterdir()}


def test_only_80_and_443_are_published(stack: Project) -> None:
    published = {name: stack.inspect(name)["NetworkSettings"]["Ports"] or {} for name in ALL}
    bound = {
        (name, int(binding["HostPort"]))
        for name, ports in published.items()
        for bindings in ports.values()
        for binding in bindings or []
    }
    assert bound == {("traefik", 80), ("traefik", 443)}


def test_internal_networks_lead_nowhere(stack: Project) -> None:
    script = "import socket; socket.create_connection(('203.0.113.1', 443), timeout=3)"
    result = stack.compose(
        "exec",
        "-T",
        "forecaster",
        "python",
        "-c",
        f"try:\n {script}\n print('out')\nexcept OSError as e:\n print('no', e)",
    )
    assert result.startswith("no")


def test_traefik_cannot_reach_the_database(stack: Project) -> None:
    networks = {name: set(stack.inspect(name)["NetworkSettings"]["Networks"]) for name in ALL}
    assert networks["traefik"] == {"tokenscope_edge", "tokenscope_web"}
    assert networks["portfolio_db"] == {"tokenscope_data"}
    assert networks["frontend"] == networks["error-pages"] == {"tokenscope_web"}


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_no_process_runs_as_root_or_has_a_capability(stack: Project, service: str) -> None:
    status = stack.compose("exec", "-T", service, "sh", "-c", "cat /proc/[0-9]*/status")
    uids = {line.split()[1] for line in status.splitlines() if line.startswith("Uid:")}
    capabilities = {
        line.split()[1] for line in status.splitlines() if line.startswith(("CapEff:", "CapPrm:", "CapBnd:"))
    }
    privileges = {line.split()[1] for line in status.splitlines() if line.startswith("NoNewPrivs:")}
    assert uids and "0" not in uids
    assert capabilities == {"0" * 16}
    assert privileges == {"1"}


@pytest.mark.parametrize("service", ALL)
def test_container_is_confined(stack: Project, service: str) -> None:
    found = stack.inspect(service)
    host = found["HostConfig"]
    user = found["Config"]["User"].split(":")[0]
    assert user.isdigit() and int(user) > 0
    assert host["ReadonlyRootfs"] and not host["Privileged"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"]
    assert host["Memory"] > 0 and host["NanoCpus"] > 0 and host["PidsLimit"] > 0
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    assert not [mount for mount in found["Mounts"] if "docker.sock" in mount["Source"]]


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_root_file_system_cannot_be_written(stack: Project, service: str) -> None:
    script = "for d in / /etc /usr /app /opt; do [ ! -d $d ] || ! touch $d/probe 2>/dev/null || echo wrote $d; done"
    assert stack.compose("exec", "-T", service, "sh", "-c", script) == ""


def test_secrets_are_in_no_container_setting(stack: Project) -> None:
    for service in ALL:
        settings = json.dumps(stack.inspect(service))
        for name, secret in secrets(stack).items():
            assert secret not in settings, f"{name} in the settings of {service}"


def test_secrets_are_in_no_log_and_no_process_list(stack: Project) -> None:
    logs = stack.logs()
    processes = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    for name, secret in secrets(stack).items():
        assert secret not in logs, f"{name} in the logs"
        assert secret not in processes, f"{name} in the process list"


def test_secrets_are_in_no_image(stack: Project, tmp_path: Path) -> None:
    patterns = tmp_path / "patterns"  # of certificate and key their second line, the first that is theirs alone
    patterns.write_text(
        "".join(secret.splitlines()["-----BEGIN" in secret] + "\n" for secret in secrets(stack).values())
    )
    tags = [f"tokenscope/{name}:local" for name in OWN_IMAGES]
    assert not [secret for secret in patterns.read_text().split() if secret in stack.engine.docker("inspect", *tags)]
    lines = stack.engine.docker("inspect", "--format", "{{range .GraphDriver.Data}}{{.}}:{{end}}", *tags)
    folders = {folder for folder in lines.replace("\n", ":").split(":") if folder.endswith("/diff")}
    assert len(folders) > len(tags)
    result = subprocess.run(["grep", "-rlF", "-f", patterns, *folders], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")


def test_secrets_are_not_defaults(stack: Project) -> None:
    found = secrets(stack)
    hashed = found.pop("viewer_users")
    assert hashed.startswith("tokenscope:$apr1$") and found["viewer_password"] not in hashed
    assert all(len(secret) >= 64 for secret in found.values())
    assert len(set(found.values())) == len(found)
    assert (stack.folder / "secrets").stat().st_mode & 0o077 == 0


def test_each_service_gets_its_own_secrets_only(stack: Project) -> None:
    mounted = {
        service: {
            Path(mount["Destination"]).name
            for mount in stack.inspect(service)["Mounts"]
            if "/secrets/" in mount["Destination"]
        }
        for service in ALL
    }
    holders = {service for service, names in mounted.items() if "postgres_password" in names}
    assert holders == {"portfolio_db", "roles"}
    assert mounted["forecaster"] == {"portfolio_reader_password"}
    assert mounted["traefik"] == {"tls_certificate", "tls_key", "viewer_users"}
    assert mounted["frontend"] == mounted["error-pages"] == mounted["site-build"] == set()


def as_reader(stack: Project, query: str) -> str:
    """Run a query as the dashboards do, from a container of theirs; return what it printed, error text included."""
    code = (
        "import sys; from warehouse.connection import connect, READER\n"
        "try:\n with connect(user=READER) as c: print(c.execute(sys.argv[1]).fetchall())\n"
        "except Exception as error: print('refused:', error)"
    )
    return stack.compose("exec", "-T", "-e", "PYTHONPATH=/app", "forecaster", "python", "-c", code, query).strip()


def test_reader_reads_the_models(stack: Project) -> None:
    assert as_reader(stack, "select count(*) from public_star.fct_api_requests") == "[(500000,)]"


@pytest.mark.parametrize(
    "query",
    [
        "select * from raw_staging.users limit 1",
        "delete from public_star.fct_api_requests",
        "set default_transaction_read_only = off; create table public_marts.x (i int)",
        "create temporary table x (i int)",
        "create schema x",
        "create role x",
        "alter role portfolio_reader superuser",
        "set role portfolio_owner",
        "copy (select 1) to program 'id'",
        "select pg_read_file('/etc/passwd')",
        "select rolpassword from pg_authid",
        "select pg_terminate_backend(1), pg_sleep(0) from pg_stat_activity where usename = 'postgres' and 1/0 = 1",
        "select lo_import('/etc/passwd')",
        "select pg_sleep(60)",
    ],
)
def test_reader_may_do_nothing_else(stack: Project, query: str) -> None:
    assert as_reader(stack, query).startswith("refused:")


def test_reader_needs_its_password(stack: Project) -> None:
    code = (
        "import psycopg\n"
        "for password in ('', 'wrong', 'portfolio_reader', 'postgres'):\n"
        "    for user in ('portfolio_reader', 'portfolio_owner', 'postgres', 'metabase'):\n"
        "        try:\n            psycopg.connect(user=user, password=password)\n            print('in as', user)\n"
        "        except psycopg.OperationalError: pass\n"
        "print('done')"
    )
    assert stack.compose("exec", "-T", "forecaster", "python", "-c", code).strip() == "done"


def test_each_role_connects_to_its_own_database_only(stack: Project) -> None:
    query = """
        select has_database_privilege(role, name, 'connect') from (values
            ('portfolio_reader', 'metabase'), ('metabase', 'tokenscope'), ('portfolio_reader', 'postgres')
        ) as closed (role, name)
    """
    assert set(stack.sql(query).split()) == {"f"}
    assert stack.sql("select count(*) from pg_roles where rolsuper") == "1"


def test_passwords_are_stored_as_scram(stack: Project) -> None:
    kinds = stack.sql("select distinct left(rolpassword, 13) from pg_authid where rolcanlogin")
    assert kinds == "SCRAM-SHA-256"
