"""The documentation page as the pipeline publishes it: a reader finds it whole, compressed or not."""

from __future__ import annotations

import gzip
from pathlib import Path

from pipeline.steps import DOCS_FILES, publish_docs


def test_page_and_its_compressed_copy_are_published_together(tmp_path: Path) -> None:
    page, folder = tmp_path / "static_index.html", tmp_path / "docs"
    folder.mkdir()
    for content in (b"<html>" + b"first " * 1000, b"<html>" + b"second " * 1000):
        page.write_bytes(content)
        publish_docs(page, folder)
        assert {path.name for path in folder.iterdir()} == set(DOCS_FILES)
        assert (folder / "index.html").read_bytes() == content
        assert gzip.decompress((folder / "index.html.gz").read_bytes()) == content
