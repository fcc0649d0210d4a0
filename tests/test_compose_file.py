"""What the compose file promises in its header, read from the file; tests/stack proves the same on a running stack."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
TEXT = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DEFAULT = {name: service for name, service in SERVICES.items() if "profiles" not in service}
LONG_RUNNING = {name: service for name, service in SERVICES.items() if service["restart"] == "unless-stopped"}
UNITS = {"M": 2**20, "G": 2**30}
IMAGE = re.compile(r"(?m)^\s*(?:image:|FROM)\s+([a-z][\w./-]*):([\w.-]+)(?:@(sha256:[0-9a-f]{64}))?(?:\s|$)")
UNPINNED = {
    "metabase/metabase": "nobody has published the digest of this release; `make pins` writes it",
    "traefik": "nobody has published the digest of this release; `make pins` writes it",
}


def memory_bytes(service: dict[str, Any]) -> int:
    limit = service["deploy"]["resources"]["limits"]["memory"]
    return int(limit[:-1]) * UNITS[limit[-1]]


def test_default_services_are_the_documented_ones() -> None:
    assert set(DEFAULT) == {
        *("traefik", "portfolio_db", "roles", "pipeline", "metabase", "metabase-provision"),
        *("forecaster", "site-build", "frontend", "error-pages", "scheduler", "backup"),
    }
    assert set(SERVICES) - set(DEFAULT) == {"pgadmin", "sonarqube", "sonarqube-db"}


def test_memory_limits_of_the_default_services_fit_six_gibibytes() -> None:
    # One-shots wait for each other, so that one of them runs at a time. The pipeline is not counted beside the
    # scheduler: one of the two sleeps, for both hold the lock of the runs while they work.
    ever = {name for name in DEFAULT if name in LONG_RUNNING}
    at_start = [memory_bytes(DEFAULT[name]) for name in DEFAULT if name not in ever and name != "pipeline"]
    assert memory_bytes(DEFAULT["pipeline"]) <= memory_bytes(DEFAULT["scheduler"])
    assert sum(memory_bytes(DEFAULT[name]) for name in ever) + max(at_start) <= 6 * 2**30


def test_scheduler_is_told_what_the_pipeline_is_told() -> None:
    pipeline, scheduler = (DEFAULT[name]["environment"] for name in ("pipeline", "scheduler"))
    told = {name: value for name, value in pipeline.items() if name != "DATA"}  # which starts alone look at
    assert scheduler == told | {name: scheduler[name] for name in ("DAILY_RUN_AT", "RETENTION_MONTHS")}
    assert DEFAULT["pipeline"]["image"] == DEFAULT["scheduler"]["image"]
    assert DEFAULT["pipeline"]["volumes"] == DEFAULT["scheduler"]["volumes"][: len(DEFAULT["pipeline"]["volumes"])]


def test_folders_of_the_host_are_made_by_our_script_alone() -> None:
    # One that the engine makes is root's, and no container could write to it.
    script = (REPOSITORY / "stack" / "folders.sh").read_text(encoding="utf-8")
    for name, service in DEFAULT.items():
        for volume in service.get("volumes", []):
            if isinstance(volume, dict):
                assert volume["bind"] == {"create_host_path": False}, name
                assert volume["source"].removeprefix("./") in script, name


def test_metabase_states_what_it_may_use_and_has_room_to_spare() -> None:
    metabase = SERVICES["metabase"]
    options = re.findall(r"-(?:Xmx|XX:Max\w+=|XX:ReservedCodeCacheSize=)(\d+)m", metabase["environment"]["JAVA_OPTS"])
    files = [re.fullmatch(r"/[a-z/]+(?::exec)?,size=(\d+)m", mount) for mount in metabase["tmpfs"]]
    assert len(options) == 4 and all(files), "heap, classes, code, buffers and every tmpfs need a size: all are memory"
    stated = sum(map(int, options)) + sum(int(match.group(1)) for match in files if match)
    assert stated * 2**20 <= memory_bytes(metabase) - 200 * 2**20
    assert memory_bytes(metabase) <= 1.9 * 2**30


def test_metabases_drivers_are_files_in_a_volume() -> None:
    folder = SERVICES["metabase"]["environment"]["MB_PLUGINS_DIR"]
    assert f"metabase_plugins:{folder}" in SERVICES["metabase"]["volumes"]
    assert not [mount for mount in SERVICES["metabase"]["tmpfs"] if mount.startswith(folder)]


def test_arguments_reach_metabases_own_entry_point() -> None:
    # `docker compose run metabase "reset-password ..."` needs the key and the password that this wrapper brings.
    shell, option, script, name = SERVICES["metabase"]["entrypoint"]
    assert (shell, option, name) == ("/bin/sh", "-c", "metabase")
    assert script.endswith('exec /app/run_metabase.sh "$$@"')


@pytest.mark.parametrize("name", DEFAULT)
def test_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"] and "cap_add" not in service and "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= limits.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_logs_of_a_service_cannot_fill_the_disk(name: str) -> None:
    assert SERVICES[name]["logging"]["options"].keys() == {"max-size", "max-file"}


def test_each_image_of_ours_is_built_by_one_service() -> None:
    # Two builds of one tag at the same time fail on an engine with the containerd image store.
    builders = [service["image"] for service in SERVICES.values() if "build" in service]
    assert len(builders) == len(set(builders))
    ours = {service["image"] for service in SERVICES.values() if service["image"].startswith("tokenscope/")}
    assert ours == set(builders)


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_long_running_service_proves_that_it_works(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


def test_one_shots_are_tried_again_but_not_for_ever() -> None:
    others = {name: service["restart"] for name, service in SERVICES.items() if name not in LONG_RUNNING}
    assert set(others.values()) == {"on-failure:5"}


@pytest.mark.parametrize("name", SERVICES)
def test_image_has_a_full_tag(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.fullmatch(r"tokenscope/[a-z-]+:local", image) or re.search(r":v?\d+\.\d+", image), image


def base_images() -> dict[str, set[tuple[str, str]]]:
    """Return tags and digests by name, from the compose file and every Dockerfile."""
    found: dict[str, set[tuple[str, str]]] = {}
    for text in [TEXT, *(path.read_text(encoding="utf-8") for path in sorted(REPOSITORY.glob("*/Dockerfile")))]:
        for name, tag, digest in IMAGE.findall(text):
            if not name.startswith("tokenscope/"):
                found.setdefault(name, set()).add((tag, digest))
    return found


def test_every_base_image_has_one_full_tag_and_the_digest_behind_it() -> None:
    found = base_images()
    assert {*found} == {*UNPINNED, "postgres", "python", "node", "nginx", "dpage/pgadmin4", "sonarqube"}
    for name, pins in found.items():
        assert len(pins) == 1, f"{name}: one tag and one digest everywhere, found {pins}"
        tag, digest = pins.copy().pop()
        assert re.match(r"v?\d+\.\d+", tag), f"{name}:{tag}"
        assert bool(digest) != (name in UNPINNED), f"{name}: run `make pins`, or take it off the list of the unpinned"


def test_bot_keeps_the_pins() -> None:
    settings = json.loads((REPOSITORY / "renovate.json").read_text(encoding="utf-8"))
    assert settings["enabledManagers"] == ["docker-compose", "dockerfile"]
    assert "docker:pinDigests" in settings["extends"]


def test_traefik_alone_publishes_ports_to_the_world() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.pop("traefik") == ["${HTTP_PORT:-80}:80", "${HTTPS_PORT:-443}:443"]
    assert all(str(port).startswith("127.0.0.1:") for ports in published.values() for port in ports), published
    assert set(published) <= {"pgadmin", "sonarqube"}


def test_traefik_alone_has_a_way_out() -> None:
    internal = {name for name, network in COMPOSE["networks"].items() if network and network.get("internal")}
    for name, service in DEFAULT.items():
        outside = set(service.get("networks", [])) - internal
        assert outside == ({"edge"} if name == "traefik" else set()), name


def test_health_checks_of_the_profile_use_what_their_images_have() -> None:
    # pgAdmin's image has busybox's wget and no curl, SonarQube's has curl and no wget.
    assert SERVICES["pgadmin"]["healthcheck"]["test"][1] == "wget"
    assert SERVICES["sonarqube"]["healthcheck"]["test"][1].startswith("curl ")


def test_docker_socket_is_mounted_nowhere() -> None:
    assert "docker.sock" not in TEXT


def test_no_password_is_a_value() -> None:
    secret = re.compile(r"PASS|SECRET|TOKEN|KEY", re.IGNORECASE)
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if secret.search(variable):
                assert str(value).startswith("/run/secrets/"), f"{name}: {variable}"


def test_every_volume_says_what_is_lost() -> None:
    block = TEXT[TEXT.index("\nvolumes:") : TEXT.index("\nsecrets:")]
    for name in COMPOSE["volumes"]:
        assert re.search(rf"(?m)^  {name}: +# .+; lost: .+$", block), name


def test_every_secret_is_made_by_make_secrets() -> None:
    script = (REPOSITORY / "stack" / "secrets.sh").read_text(encoding="utf-8")
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"secrets/{name}"}
        assert re.search(rf"\b{name}\b", script), name


def test_dockerfiles_name_no_frontend_image_and_end_as_an_ordinary_user() -> None:
    for path in REPOSITORY.glob("*/Dockerfile"):
        text = path.read_text(encoding="utf-8")
        assert "# syntax" not in text, path
        for stage in re.split(r"(?m)^FROM ", text)[1:]:
            is_final = "CMD" in stage
            assert not is_final or re.search(r"(?m)^USER \d+:\d+$", stage), f"{path}: {stage.splitlines()[0]}"
