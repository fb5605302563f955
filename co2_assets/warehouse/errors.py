"""What can go wrong with the warehouse. Each message says what to do about it."""
# ruff: noqa: N818 -- the names say what is wrong; they are read in logs and reports


class WarehouseError(Exception):
    """The warehouse or a published snapshot could not be used."""


class WarehouseBusy(WarehouseError):
    """Another process or thread held the file for longer than the time-out."""


class NoLocks(WarehouseError):
    """The file system cannot lock files."""


class WrongSource(WarehouseError):
    """The file holds data of another source than the requested one."""


class NewerSchema(WarehouseError):
    """The file was written by a newer version of this program."""


class WarehouseCorrupt(WarehouseError):
    """The file is damaged, or it is not a warehouse."""


class WarehouseGone(WarehouseError):
    """The file existed once and is gone."""


class SnapshotUnreadable(WarehouseError):
    """A published snapshot is gone or damaged."""


class UnusableHome(WarehouseError, ValueError):
    """The path of the home folder has characters that a database would read as something else."""


class BadRows(WarehouseError, ValueError):
    """The given rows do not fit the table; none of them was written."""
