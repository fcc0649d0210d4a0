"""What the environment may say, and what is said where it says something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.settings import PipelineError, Settings


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
