from __future__ import annotations

import pytest

from forecaster.controls import COMMON_ZONES, zones


@pytest.mark.parametrize(("own", "first"), [("UTC", "UTC"), ("Asia/Kolkata", "Asia/Kolkata"), ("Mars/Base", "UTC")])
def test_zone_of_the_reports_comes_first_and_once(own: str, first: str) -> None:
    found = zones(own)
    assert found[0] == first
    assert len(found) == len(set(found))
    assert set(COMMON_ZONES) < set(found)
