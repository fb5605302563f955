"""Putting a finished file in its place, so that a crash leaves the old file or the new one, whole; and naming
a damaged one that is set aside."""

import os
from datetime import datetime
from pathlib import Path

from co2_assets.warehouse.paths import DAMAGED

UNFINISHED = ".unfinished"


def unfinished_path(path: Path) -> Path:
    """Return the name under which the file at ``path`` is written until it is whole."""
    return path.with_name(path.name + UNFINISHED)


def put_in_place(unfinished: Path, path: Path) -> None:
    """Rename, and return only when content and name are on the disk."""
    _sync(unfinished)
    os.replace(unfinished, path)
    _sync(path.parent)


def aside_path(path: Path, now: datetime) -> Path:
    """Return a new name, with the time in it, for the damaged file at ``path``."""
    stem = f"{path.name}{DAMAGED}{now:%Y%m%dT%H%M%SZ}"
    number = 1
    while (aside := path.with_name(stem if number == 1 else f"{stem}-{number}")).exists():
        number += 1
    return aside


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
