"""What the environment may say, and what is said where it says something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.settings import PipelineError, Settings
from pipeline.steps import chosen_data_set


def test_empty_variables_are_none() -> None:
    settings = Settings.from_environment({"DATA": "", "ROWS": "", "RETENTION_MONTHS": "", "DAILY_RUN_AT": ""})
    assert (settings.data_set, settings.rows, settings.retention_months) == ("", 500_000, None)
    assert (settings.daily_at.hour, settings.daily_at.minute) == (3, 15)
    assert settings.inbox == Path("/inbox")


def test_everything_wrong_is_named_at_once() -> None:
    wrong = {"DATA": "some", "ROWS": "many", "DAILY_RUN_AT": "3 am", "REPORT_TZ": "Mars/Base", "RETENTION_MONTHS": "-1"}
    with pytest.raises(PipelineError) as error:
        Settings.from_environment(wrong)
    for part in (
        "DATA: expected demo or none, found some",
        "ROWS: ",
        "DAILY_RUN_AT: ",
        "REPORT_TZ: ",
        "RETENTION_MONTHS: ",
    ):
        assert part in str(error.value)
    assert "change it in .env" in str(error.value)


def test_start_without_data_does_as_the_one_before(tmp_path: Path) -> None:
    def chosen(data: str) -> str:
        return chosen_data_set(Settings.from_environment({"DATA": data, "PIPELINE_DATA_DIR": str(tmp_path)}))

    assert [chosen(data) for data in ("", "none", "", "demo", "")] == ["demo", "none", "none", "demo", "demo"]
    (tmp_path / "data_set.json").write_text("half a li")
    assert chosen("") == "demo"
