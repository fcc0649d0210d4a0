"""Labs for the scenarios, and the check of every request against the reference document where that is at hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.metabase.harness import Lab, double_lab, live_lab
from tests.metabase.reference import Reference

PROFILES = ("v58", "v64", "v65")


@pytest.fixture(scope="session")
def reference(repo_root: Path) -> Reference | None:
    """Return the reference document, or None where it is absent (test_reference.py says so by skipping)."""
    path = repo_root.parent / "shared" / "metabase" / "openapi.json"
    return Reference.read(path) if path.is_file() else None


@pytest.fixture
def labs(reference: Reference | None) -> Iterator[Callable[..., Lab]]:
    """Return a maker of labs on fresh doubles; at the end no double may have seen anything outside the contract."""
    made: list[Lab] = []

    def make(profile: str, **options: object) -> Lab:
        lab = double_lab(profile, **options)
        assert lab.double is not None
        if reference is not None:
            lab.double.observe = reference.observe(lab.double.violations)
        made.append(lab)
        return lab

    yield make
    for lab in made:
        lab.close()
        assert lab.double is not None
        assert lab.double.violations == []


@pytest.fixture(params=PROFILES)
def lab(request: pytest.FixtureRequest, labs: Callable[..., Lab]) -> Lab:
    """Return a fresh double of each profile."""
    return labs(request.param)


@pytest.fixture(params=[*PROFILES, "live"])
def any_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Return a fresh double of each profile, and a real Metabase where METABASE_URL names one."""
    if request.param != "live":
        yield request.getfixturevalue("labs")(request.param)
        return
    if not os.environ.get("METABASE_URL"):
        pytest.skip("no real Metabase here: METABASE_URL is not set (make metabase-live)")
    if not os.environ.get("METABASE_LIVE_WAREHOUSE"):
        pytest.fail("METABASE_URL is set: expected METABASE_LIVE_WAREHOUSE, too (see docs/dashboards.md), found none")
    lab = live_lab()
    yield lab
    admin = lab.admin()
    for found in admin.get("/api/collection").json():
        if found["name"] == lab.target.collection:
            admin.put(f"/api/collection/{found['id']}", json={"archived": True})
    lab.close()
