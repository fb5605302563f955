"""Putting a finished file in its place, so that a crash leaves the old file or the new one, whole."""

import os
from pathlib import Path

UNFINISHED = ".unfinished"


def unfinished_path(path: Path) -> Path:
    """Return the name under which the file at ``path`` is written until it is whole."""
    return path.with_name(path.name + UNFINISHED)


def put_in_place(unfinished: Path, path: Path) -> None:
    """Rename, and return only when content and name are on the disk."""
    _sync(unfinished)
    os.replace(unfinished, path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
