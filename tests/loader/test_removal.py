"""`remove`: a source is taken out whole, others stay, and it can be loaded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

COUNTS = "select (select count(*) from raw_staging.users), (select count(*) from raw_staging.user_changes)"


def test_a_source_is_taken_out_and_the_others_stay(loader: Any, dataset_20k: Path, azure_file: Path) -> None:
    loader.succeeds("load", dataset_20k)
    loader.succeeds("import", "--from", "azure-llm", azure_file)
    assert "azure-llm: 3 api_requests removed" in loader.succeeds("remove", "azure-llm")
    assert loader.request_count("azure-llm") == 0 and loader.request_count() == 20_000
    assert "20,000 api_requests removed" in loader.succeeds("remove", "synthetic")
    assert loader.request_count() == 0 and loader.rows(COUNTS) == [(0, 0)]
    assert loader.partitions() == []


def test_a_removed_source_can_be_loaded_again(loader: Any, azure_file: Path) -> None:
    loader.succeeds("import", "--from", "azure-llm", azure_file)
    loader.succeeds("remove", "azure-llm")
    assert "3 api_requests loaded" in loader.succeeds("import", "--from", "azure-llm", azure_file)
    loader.succeeds("remove", "azure-llm")
    assert "3 api_requests loaded" in loader.succeeds("import", "--from", "azure-llm", "--add", azure_file)


def test_the_removal_is_a_batch_of_its_own(loader: Any, azure_file: Path) -> None:
    loader.succeeds("import", "--from", "azure-llm", azure_file)
    loader.succeeds("remove", "azure-llm")
    query = "select mode, status, file_name, rows_loaded from raw_staging.load_batches order by batch_id desc limit 1"
    assert loader.rows(query) == [("replace", "done", "(source removed)", 0)]


def test_a_source_that_is_not_there_is_refused_with_those_that_are(loader: Any, azure_file: Path) -> None:
    loader.succeeds("import", "--from", "azure-llm", azure_file)
    assert "found nothing of 'azure'; loaded are: azure-llm" in loader.fails("remove", "azure")
    loader.succeeds("remove", "azure-llm")
    assert "loaded are: none" in loader.fails("remove", "azure-llm")


def test_a_reader_who_does_not_pause_leaves_everything_as_it_was(loader: Any, azure_file: Path) -> None:
    loader.succeeds("import", "--from", "azure-llm", azure_file)
    with psycopg.connect("") as reader:
        reader.execute("select count(*) from raw_staging.api_requests")
        assert "expected readers of raw_staging" in loader.fails("remove", "azure-llm", "--swap-wait-s", "0")
    assert loader.request_count("azure-llm") == 3
