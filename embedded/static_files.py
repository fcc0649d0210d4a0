"""The site's and the dbt docs' files over HTTP, for the proxy in front: `python -m embedded.static_files PORT`."""

from __future__ import annotations

import os
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from embedded.paths import DOCS, SITE
from embedded.precompressed import PrecompressedFiles
from embedded.static_policy import static_policy


def application() -> Starlette:
    """Return the application: `/docs` and `/`, each where its folder has been built. `html` serves 404.html as well."""
    folders = [("/docs", DOCS), ("/", SITE)]
    routes: list[BaseRoute] = [
        Mount(path, PrecompressedFiles(directory=folder, html=True)) for path, folder in folders if folder.is_dir()
    ]
    return Starlette(routes=routes, middleware=static_policy(os.environ))


if __name__ == "__main__":
    uvicorn.run(application(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
