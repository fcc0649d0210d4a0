"""What `make up` says of a build or a start that does not get on, what `make upgrade-check` sees, and `make prune`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stack.project import LONG_RUNNING, Project

QUIET_LIMIT_S = "60"


@contextmanager
def changed(file: Path, text: str) -> Iterator[None]:
    """Give a file of the project another text for a while."""
    kept = file.read_text(encoding="utf-8") if file.exists() else None
    file.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        file.unlink() if kept is None else file.write_text(kept, encoding="utf-8")


def new_images(stack: Project, tmp_path: Path) -> list[str]:
    """Return the services that the check says get a new image; there is no backup, so it always has a complaint."""
    said = stack.make("upgrade-check", check=False, BACKUP_DIR=str(tmp_path)).stderr
    assert "upgrade-check: 1 things to do first" in said, said
    return re.findall(r"(?m)^upgrade-check: (\S+) gets a new image of ours$", said)


def test_up_names_the_phase_when_a_build_fails(stack: Project) -> None:
    dockerfile = stack.folder / "traefik" / "Dockerfile"
    before = {name: stack.container(name) for name in LONG_RUNNING}
    with changed(dockerfile, dockerfile.read_text() + "COPY no-such-file /\n"):
        result = stack.make("up", check=False)
    assert result.returncode != 0 and "up: build: expected every image to build" in result.stderr
    assert "no-such-file" in result.stderr  # the builder's own words are there
    assert {name: stack.container(name) for name in LONG_RUNNING} == before


def test_up_names_the_image_that_it_cannot_pull(stack: Project) -> None:
    override = "services: {extra: {image: 'localhost:1/absent:1.0'}}\n"
    with changed(stack.folder / "docker-compose.override.yml", override):
        result = stack.make("up", check=False)
    assert result.returncode != 0 and "up: pull: expected to get localhost:1/absent:1.0" in result.stderr


def test_up_ends_when_nothing_changes_any_more(stack: Project) -> None:
    # Its check has not failed often enough yet to call it unhealthy, and never will while it is starting.
    hanging = "services: {forecaster: {entrypoint: [sleep, infinity], healthcheck: {start_period: 1h}}}\n"
    with changed(stack.folder / "docker-compose.override.yml", hanging):
        result = stack.make("up", check=False, UP_TIMEOUT_S=QUIET_LIMIT_S)
    assert result.returncode != 0
    assert f"up: start: expected every service healthy, found nothing that changed for {QUIET_LIMIT_S} s" in (
        result.stderr
    )
    assert re.search(r"(?m)^  forecaster +running, health starting", result.stderr)
    stack.make("up")


def test_upgrade_check_sees_which_of_our_images_change(stack: Project, tmp_path: Path) -> None:
    assert new_images(stack, tmp_path) == []
    running = stack.inspect("traefik")["Image"]
    routes = stack.folder / "traefik" / "dynamic.yml"
    with changed(routes, routes.read_text() + "# another comment\n"):
        assert new_images(stack, tmp_path) == ["traefik"]
    assert stack.inspect("traefik")["Image"] == running
    tags = stack.engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    assert [tag for tag in tags if tag.endswith(":upgrade-check")] == []


def test_upgrade_check_sees_that_an_image_does_not_build(stack: Project, tmp_path: Path) -> None:
    dockerfile = stack.folder / "traefik" / "Dockerfile"
    with changed(dockerfile, dockerfile.read_text() + "COPY no-such-file /\n"):
        result = stack.make("upgrade-check", check=False, BACKUP_DIR=str(tmp_path))
    assert result.returncode != 0 and "images: expected every image to build" in result.stderr


def test_prune_removes_replaced_images_and_keeps_the_rest(stack: Project) -> None:
    """Comes last: the cache is gone after it, so a build starts from nothing."""

    def images(*filters: str) -> set[str]:
        words = [word for name in filters for word in ("--filter", name)]
        return set(stack.engine.docker("images", "--quiet", "--no-trunc", *words).split())

    label = "com.docker.compose.project=tokenscope"
    tagged = images("dangling=false") - images("reference=tokenscope/prune:local")  # an earlier run's is replaced here
    folder = stack.folder / ".prune"
    folder.mkdir(exist_ok=True)
    built = []
    for content in ("first", "second"):
        (folder / "Dockerfile").write_text(f"FROM scratch\nLABEL content={content}\nCOPY Dockerfile /\n")
        stack.engine.docker("buildx", "build", "--load", "--label", label, "--tag", "tokenscope/prune:local", folder)
        built += images("reference=tokenscope/prune:local")
    replaced, current = built
    result = stack.make("prune")
    assert re.search(r"prune: freed \S+B of old images and \S+B of build cache", result.stderr)
    containers = stack.engine.docker("ps", "--all", "--quiet").split()
    used = set(stack.engine.docker("inspect", "--format", "{{.Image}}", *containers).split())
    assert images("dangling=true", f"label={label}") <= used
    assert replaced not in images() and tagged | {current} <= images("dangling=false")
    assert stack.run("stack/status.sh", check=False).returncode == 0
