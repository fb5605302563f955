"""Bring the generated parts of the documents up to date: ``python docs/generate.py``.

A generated part stands between a pair of markers. One function here makes it from the declarations in
the code, and a test compares the two.
"""

import re
from collections.abc import Callable
from pathlib import Path

from from_api import endpoints
from from_contracts import contracts
from from_definitions import automation, graph

DOCS = Path(__file__).resolve().parent
MADE: dict[str, tuple[str, Callable[[], str]]] = {
    "graph": ("architecture.md", graph),
    "automation": ("architecture.md", automation),
    "contracts": ("data_contracts.md", contracts),
    "endpoints": ("api.md", endpoints),
}


def put(text: str, name: str, made: str) -> str:
    """Return ``text`` with ``made`` between the markers called ``name``; ValueError without them."""
    begin, end = f"<!-- begin {name}: made by docs/generate.py -->", f"<!-- end {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"there is not one pair of markers {name!r}")
    return pattern.sub(lambda _: f"{begin}\n{made.strip()}\n{end}", text)


def main() -> None:
    """Write every generated part into its document."""
    for name, (file, make) in MADE.items():
        path = DOCS / file
        path.write_text(put(path.read_text(encoding="utf-8"), name, make()), encoding="utf-8")


if __name__ == "__main__":
    main()
