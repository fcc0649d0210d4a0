"""Our requests against the reference document of Metabase's API, which is test data beside the clone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.metabase.double.server import Seen
from tests.metabase.harness import Lab, board, card, define, demo
from tests.metabase.reference import Reference


@pytest.fixture
def present(reference: Reference | None) -> Reference:
    if reference is None:
        pytest.skip(
            "../shared/metabase/openapi.json is absent: it is reference material and not part of the repository"
        )
    return reference


def test_every_request_fits_the_reference_document(present: Reference, labs: Callable[..., Lab]) -> None:
    before = present.checked
    for profile in ("v58", "v64", "v65"):
        lab = labs(profile)
        lab.apply(demo())
        lab.apply(define(first=board(card("a"), name="First")), prune=True)
        assert lab.double is not None
        assert lab.double.violations == []
    assert present.checked - before > 80


def test_reference_refuses_what_it_does_not_know(present: Reference) -> None:
    assert present.problems(Seen("GET", "/api/unheard", {}, None))
    assert present.problems(Seen("GET", "/api/card", {"g": "all"}, None))
    assert present.problems(Seen("POST", "/api/card", {}, {"name": "x"}))
    assert present.problems(Seen("PUT", "/api/dashboard/1", {}, {"dashcards": [{"id": 1}]}))
    assert present.problems(Seen("PUT", "/api/dashboard/1", {}, {"colour": "red"}))
