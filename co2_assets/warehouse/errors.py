"""What can go wrong with the warehouse, each with its remedy in the message."""

# ruff: noqa: N818 -- they are named after the state found, as it is said in prose.


class WarehouseError(Exception):
    """The warehouse or a published snapshot could not be used."""


class WarehouseBusy(WarehouseError):
    """Another process, or another thread, kept the file for longer than we wait."""


class WrongSource(WarehouseError):
    """The file holds data of another source than the one asked for."""


class NewerSchema(WarehouseError):
    """The file was written by a newer version of this program."""


class WarehouseCorrupt(WarehouseError):
    """The file is damaged, or is no warehouse."""


class WarehouseGone(WarehouseError):
    """The file was there once and is not any more."""


class SnapshotUnreadable(WarehouseError):
    """A published snapshot is gone or damaged."""


class BadRows(WarehouseError, ValueError):
    """The rows given do not fit the table; nothing of them was written."""
