"""`make pins` against a real image registry on loopback: docker's own client asks, no engine runs."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.stack.engine import REPOSITORY, Engine, run
from tests.stack.standins import named_images

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
REFERENCES = ["docker-compose.yml", *sorted(str(p.relative_to(REPOSITORY)) for p in REPOSITORY.glob("*/Dockerfile"))]


class Registry:
    """Debian's docker-registry, and what one pushes to it over HTTP."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.http = httpx.Client(base_url=f"http://{address}", trust_env=False)

    def push_index(self, tag: str, note: str = "") -> str:
        """Push an index of two platforms as `tag`; return its digest."""
        name, _, version = tag.partition(":")
        name = name if "/" in name else f"library/{name}"
        manifests = [self._manifest(name, architecture, note) for architecture in ("amd64", "arm64")]
        return self._put(name, version, {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})

    def push_single(self, tag: str) -> None:
        """Push an image for one platform as `tag`."""
        name, _, version = tag.partition(":")
        found = self._manifest(f"library/{name}", "amd64", "single")
        body = self.http.get(f"/v2/library/{name}/manifests/{found['digest']}", headers={"Accept": MANIFEST}).json()
        self._put(f"library/{name}", version, body)

    def _manifest(self, name: str, architecture: str, note: str) -> dict[str, Any]:
        config = {
            "architecture": architecture,
            "os": "linux",
            "author": note,
            "rootfs": {"type": "layers", "diff_ids": []},
        }
        data = json.dumps(config).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        place = self.http.post(f"/v2/{name}/blobs/uploads/").headers["location"]
        assert (
            self.http.put(place, params={**httpx.URL(place).params, "digest": digest}, content=data).status_code == 201
        )
        layers = {"config": {"mediaType": CONFIG, "digest": digest, "size": len(data)}, "layers": []}
        body = {"schemaVersion": 2, "mediaType": MANIFEST, **layers}
        size = len(json.dumps(body).encode())
        found = self._put(name, f"sha256:{hashlib.sha256(json.dumps(body).encode()).hexdigest()}", body)
        platform = {"architecture": architecture, "os": "linux"}
        return {"mediaType": MANIFEST, "digest": found, "size": size, "platform": platform}

    def _put(self, name: str, reference: str, body: dict[str, Any]) -> str:
        data = json.dumps(body).encode()
        answer = self.http.put(
            f"/v2/{name}/manifests/{reference}", content=data, headers={"Content-Type": body["mediaType"]}
        )
        assert answer.status_code == 201, answer.text
        return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture(scope="module")
def tools() -> Engine:
    """Return the engine's programs, unpacked; the engine itself is not needed."""
    engine = Engine()
    engine.install()
    return engine


@pytest.fixture(scope="module")
def registry_program(tools: Engine) -> Path:
    """Return Debian's docker-registry, fetched on first need."""
    folder = tools.home / "registry"
    if not (folder / "usr/bin/docker-registry").exists():
        folder.mkdir(parents=True, exist_ok=True)
        configuration = tools._apt_configuration()
        run("apt-get", "update", "-qq", env=configuration)
        run("sh", "-c", f"cd '{folder}' && apt-get download -qq docker-registry", env=configuration)
        run("dpkg-deb", "-x", next(folder.glob("*.deb")), folder)
    return folder / "usr/bin/docker-registry"


@pytest.fixture
def registry(registry_program: Path, tmp_path: Path) -> Iterator[Registry]:
    """Return an empty registry that runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = tmp_path / "registry.yml"
    storage = f"storage: {{filesystem: {{rootdirectory: {tmp_path / 'registry'}}}}}"
    settings.write_text(f"version: 0.1\n{storage}\nhttp: {{addr: '{address}'}}\n")
    with (tmp_path / "registry.log").open("wb") as log:
        process = subprocess.Popen([registry_program, "serve", settings], stdout=log, stderr=log)
    registry = Registry(address)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                assert registry.http.get("/v2/").status_code == 200
                break
            except httpx.TransportError:
                assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "registry.log").read_text()
                time.sleep(0.1)
        yield registry
    finally:
        process.terminate()
        process.wait(30)
        registry.http.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the files that name images, and of the script."""
    copy = tmp_path / "project"
    for name in [*REFERENCES, "stack/pins.sh"]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, copy / name)
    return copy


def pins(tools: Engine, registry: Registry, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**tools.environment, "PINS_MIRROR": registry.address, "DOCKER_HOST": "unix:///nonexistent"}
    command = [folder / "stack" / "pins.sh", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def texts(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text(encoding="utf-8") for name in REFERENCES}


def test_every_tag_gets_the_digest_of_its_index(tools: Engine, registry: Registry, folder: Path) -> None:
    wanted = {tag: registry.push_index(tag) for tag in named_images().values()}
    result = pins(tools, registry, folder)
    assert result.returncode == 0, result.stderr
    after = texts(folder)
    for tag, digest in wanted.items():
        mentions = [line for text in after.values() for line in text.splitlines() if f" {tag}" in line]
        assert mentions and all(f" {tag}@{digest}" in line for line in mentions), tag
        assert f"{tag}@{digest}" in result.stdout
    digest_gone = [re.sub(r"@sha256:[0-9a-f]{64}", "", text) for text in after.values()]
    assert digest_gone == [re.sub(r"@sha256:[0-9a-f]{64}", "", text) for text in texts(REPOSITORY).values()]
    again = pins(tools, registry, folder)
    assert (again.returncode, again.stdout) == (0, "") and "0 files changed" in again.stderr
    assert texts(folder) == after


def test_check_names_a_tag_that_was_built_again_and_touches_nothing(
    tools: Engine, registry: Registry, folder: Path
) -> None:
    for tag in named_images().values():
        registry.push_index(tag)
    pins(tools, registry, folder)
    before = texts(folder)
    assert pins(tools, registry, folder, "--check").returncode == 0
    new = registry.push_index(named_images()["postgres"], "built again")
    result = pins(tools, registry, folder, "--check")
    assert result.returncode == 1 and f"{named_images()['postgres']}@{new}" in result.stdout
    assert texts(folder) == before


def test_what_cannot_be_resolved_is_named_and_no_file_is_touched(
    tools: Engine, registry: Registry, folder: Path
) -> None:
    images = named_images()
    for name in images.keys() - {"node", "nginx"}:
        registry.push_index(images[name])
    registry.push_single(images["nginx"])
    result = pins(tools, registry, folder)
    assert result.returncode == 1 and "2 tags without a digest, no file touched" in result.stderr
    assert f"expected {images['node']} in its registry, found: " in result.stderr
    assert f"expected an index for all platforms behind {images['nginx']}" in result.stderr
    assert texts(folder) == texts(REPOSITORY)


def test_another_word_is_misuse(tools: Engine, registry: Registry, folder: Path) -> None:
    result = pins(tools, registry, folder, "--chek")
    assert result.returncode == 2 and "found --chek" in result.stderr
