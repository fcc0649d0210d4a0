"""What the pipeline's containers are told by their environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from pipeline.clock import time_of_day, zone_of

T = TypeVar("T")
REPOSITORY = Path(__file__).resolve().parent.parent
DEMO, NONE = "demo", "none"
_FOLDERS = {"PIPELINE_DATA_DIR": "/data", "DOCS_DIR": "/docs", "INBOX_DIR": "/inbox", "SITE_DIR": "/site"}
_BACKUPS = {"SCHEDULED_BACKUP_DIR": "/backups"}


class PipelineError(Exception):
    """The pipeline cannot run, or a step of it failed; the message says what to do."""


@dataclass(frozen=True)
class Settings:
    """What to fill the warehouse with, when, and where everything is kept."""

    data_set: str  # of this start; empty where nobody says
    rows: int
    seed: int
    report_tz: str
    zone: ZoneInfo
    daily_at: time
    retention_months: int | None
    burstgpt_epoch: str
    data: Path
    docs: Path
    inbox: Path
    site: Path
    backups: Path

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Settings:
        """Read DATA, ROWS, SEED and the like; raises PipelineError that names everything that is wrong at once."""
        reader = _Reader(environment)
        folders = {name: Path(environment.get(name) or place) for name, place in (_FOLDERS | _BACKUPS).items()}
        report_tz = environment.get("REPORT_TZ") or "UTC"
        settings = Settings(
            data_set=reader.choice("DATA", (DEMO, NONE)),
            rows=reader.number("ROWS", 500_000),
            seed=reader.number("SEED", 42),
            report_tz=report_tz,
            zone=reader.parsed("REPORT_TZ", zone_of, "UTC") or ZoneInfo("UTC"),
            daily_at=reader.parsed("DAILY_RUN_AT", time_of_day, "03:15") or time(3, 15),
            retention_months=reader.number("RETENTION_MONTHS", 0) or None,
            burstgpt_epoch=environment.get("BURSTGPT_EPOCH") or "",
            data=folders["PIPELINE_DATA_DIR"],
            docs=folders["DOCS_DIR"],
            inbox=folders["INBOX_DIR"],
            site=folders["SITE_DIR"],
            backups=folders["SCHEDULED_BACKUP_DIR"],
        )
        if reader.wrong:
            raise PipelineError(f"pipeline: {'; '.join(reader.wrong)}; change it in .env")
        return settings


class _Reader:
    """Reads variables, an empty one being none, and gathers what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.wrong: list[str] = []

    def number(self, name: str, default: int) -> int:
        text = self._environment.get(name) or str(default)
        if text.isascii() and text.isdigit():
            return int(text)
        self.wrong.append(f"{name}: expected a whole number, found {text}")
        return default

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        text = self._environment.get(name) or ""
        if text and text not in choices:
            self.wrong.append(f"{name}: expected {' or '.join(choices)}, found {text}")
        return text

    def parsed(self, name: str, parse: Callable[[str], T], default: str) -> T | None:
        try:
            return parse(self._environment.get(name) or default)
        except ValueError as error:
            self.wrong.append(f"{name}: {error}")
            return None
