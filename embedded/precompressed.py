"""Files with a compressed copy beside them, `<file>.gz`: sent as it is to clients that take gzip."""

from __future__ import annotations

import os
from mimetypes import guess_type
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

PathLike = str | os.PathLike[str]


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header takes gzip; `gzip;q=0` refuses it."""
    for offer in accept_encoding.lower().split(","):
        name, _, weight = offer.replace(" ", "").partition(";q=")
        if name == "gzip":
            return weight.strip("0.") != "" or weight == ""
    return False


def compressed_copy(path: PathLike, stat_result: os.stat_result) -> os.stat_result | None:
    """Return the state of the copy of `path`, None where there is none or it is older than what it was made from."""
    try:
        copy = Path(f"{os.fspath(path)}.gz").stat()
    except OSError:
        return None
    return copy if copy.st_mtime_ns >= stat_result.st_mtime_ns else None


class PrecompressedFiles(StaticFiles):
    """A folder of static files, some of them with a compressed copy."""

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Answer with the copy where there is one and the client takes it, with the file otherwise."""
        copy = compressed_copy(full_path, stat_result)
        if copy is None:
            return super().file_response(full_path, stat_result, scope, status_code)
        request = Headers(scope=scope)
        headers = {"Vary": "Accept-Encoding"}
        path = os.fspath(full_path)
        media_type = guess_type(path)[0]
        if accepts_gzip(request.get("accept-encoding", "")):
            headers["Content-Encoding"] = "gzip"
            path, stat_result = f"{path}.gz", copy
        response = FileResponse(path, status_code, headers, media_type, stat_result=stat_result)
        return NotModifiedResponse(response.headers) if self.is_not_modified(response.headers, request) else response
