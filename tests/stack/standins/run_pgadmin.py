"""What gunicorn serves in the stand-in for pgAdmin's image."""

import builtins
from importlib import import_module

builtins.SERVER_MODE = True  # type: ignore[attr-defined]  # read by pgAdmin's settings while they are imported
app = import_module("pgAdmin4").app
