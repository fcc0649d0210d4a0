"""How deep JSON nests, told without a parser, which recurses and whose own limit depends on its caller. Pure."""

from __future__ import annotations

import re

_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def nesting_depth(text: str) -> int:
    """Return how many arrays and objects are open at most at once; brackets inside strings do not count."""
    deepest = depth = 0
    if text.count("[") + text.count("{") < 2:  # nearly always
        return text.count("[") + text.count("{")
    for token in _STRUCTURE.finditer(text):
        if token[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token[0] in "]}":
            depth -= 1
    return deepest
