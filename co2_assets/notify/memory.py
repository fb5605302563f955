"""What alerts have said and what is still to be sent: a file, which outlives a restart and a kill."""

import logging
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from co2_assets.notify.channels import Kind
from co2_assets.warehouse.files import put_in_place, unfinished_path

logger = logging.getLogger(__name__)


class Message(BaseModel):
    """A message and the keys of the channels that have not taken it yet. Times are naive UTC."""

    title: str
    text: str
    kind: Kind
    made_at: datetime
    to: list[str]


class Memory(BaseModel):
    """What was said. Times are naive UTC.

    ``bad`` has the names of the conditions that were said to be bad and not yet to be well again, with what
    was said; ``said_at`` when each was last said to be bad. ``newest_model`` is the time of the newest
    training that is known; None until one is. ``outbox`` has the messages that are not sent yet.
    """

    bad: dict[str, str] = {}
    said_at: dict[str, datetime] = {}
    newest_model: datetime | None = None
    outbox: list[Message] = []


def recall(path: Path) -> Memory:
    """Read the memory; an empty one where there is none, or where the file cannot be understood."""
    try:
        return Memory.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Memory()
    except ValidationError:
        logger.exception("%s cannot be understood and begins anew: something may be said once more", path)
        return Memory()


def keep(memory: Memory, path: Path) -> None:
    """Write the memory in one step, so that a kill leaves the old file or the new one."""
    unfinished = unfinished_path(path)
    unfinished.write_text(memory.model_dump_json(indent=2) + "\n", encoding="utf-8")
    put_in_place(unfinished, path)
