"""Say each thing once when it is bad, and once more when it is well again.

What is to be said is written into the memory first and sent then. So a kill loses no message, and at worst
repeats one; a message that a channel does not take is tried again at the next look.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from co2_assets.contracts.time import utc_now
from co2_assets.notify import conditions
from co2_assets.notify.channels import Channel, Kind, channels
from co2_assets.notify.conditions import Condition, RunOutcome
from co2_assets.notify.memory import Memory, Message, keep, recall
from co2_assets.pipeline.run import published_snapshot
from co2_assets.pipeline.status import read_status
from co2_assets.settings import Settings
from co2_assets.warehouse.errors import SnapshotUnreadable, WarehouseBusy
from co2_assets.warehouse.lock import exclusive
from co2_assets.warehouse.paths import Home

logger = logging.getLogger(__name__)

# What was said to be bad is not said again within this time, though it was well in between: where every
# other run fails, one pair of messages comes a quarter of a day.
QUIET = timedelta(hours=6)
# A message that no channel took for so long is old news.
KEPT = timedelta(days=1)
TITLE = "CO2 forecast: "
NOTHING_SET = "CO2_ALERT_URLS is not set: no alerts are sent."


def tell(settings: Settings, outcomes: Sequence[RunOutcome] = ()) -> str:
    """Look at everything, send what is new, and return in a sentence what was done.

    ``outcomes`` are those of the newest runs, as far as the caller knows them: of a job that is not named,
    nothing is said. Raises SettingsError for an address that cannot be used, and OSError where the memory
    cannot be written; then nothing is sent, for it would be sent again and again.
    """
    to = channels(settings)
    if not to:
        return NOTHING_SET
    home = Home(settings.home)
    home.root.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(home.alerts.with_suffix(".lock"), timeout_s=0):
            now = utc_now()
            memory = recall(home.alerts)
            before = memory.model_copy(deep=True)
            said = _look(settings, outcomes, memory, to, now)
            _drop_old(memory, to, now)
            if memory != before:
                keep(memory, home.alerts)
            failures = _deliver(memory, to)
            if failures is not None:
                keep(memory, home.alerts)
    except WarehouseBusy:
        return "Another process is sending alerts."
    sentences = [f"Said: {'; '.join(said)}." if said else "There is nothing new to say."]
    sentences += [f"Bad: {text}." for text in memory.bad.values()]
    sentences += [f"{name} did not take a message: {why}" for name, why in (failures or {}).items()]
    return " ".join(sentences)


def _look(
    settings: Settings, outcomes: Sequence[RunOutcome], memory: Memory, to: Sequence[Channel], now: datetime
) -> list[str]:
    """Put what is new into the memory's outbox; return the titles."""
    found = [*conditions.of_runs(outcomes), conditions.of_disk(settings.home)]
    messages = []
    snapshot = published_snapshot(settings)
    if snapshot is not None:
        try:
            found += [
                conditions.of_forecast(read_status(snapshot, settings)),
                *filter(None, [conditions.of_accuracy(snapshot)]),
            ]
            newest = conditions.newest_training(snapshot)
            # What was trained before the first look is not news.
            if memory.newest_model is not None:
                messages = [
                    (one.title, one.text, Kind.NEWS)
                    for one in conditions.trainings_since(snapshot, memory.newest_model)
                ]
            memory.newest_model = newest or memory.newest_model
        except SnapshotUnreadable:
            # It was taken away or damaged since; the next look reads another one.
            logger.exception("The newest snapshot cannot be read: of forecast and models nothing is said now")
    for condition in found:
        kind = _change(condition, memory, now)
        if kind is not None:
            messages.append((condition.title, condition.text, kind))
    keys = [channel.key for channel in to]
    memory.outbox += [
        Message(title=TITLE + title, text=text, kind=kind, made_at=now, to=keys)
        for title, text, kind in messages
    ]
    return [title for title, _, _ in messages]


def _change(condition: Condition, memory: Memory, now: datetime) -> Kind | None:
    """Note what a condition is now; return what kind of message that asks for, or None."""
    name = condition.name
    if condition.bad is False and memory.bad.pop(name, None) is not None:
        return Kind.WELL
    if not condition.bad or name in memory.bad:
        return None
    last = memory.said_at.get(name)
    # A time in the future was noted before the clock was set back.
    if last is not None and timedelta(0) <= now - last < QUIET:
        return None
    memory.bad[name], memory.said_at[name] = condition.title, now
    return Kind.BAD


def _drop_old(memory: Memory, to: Sequence[Channel], now: datetime) -> None:
    """Forget messages for channels that are no longer set, and those that are old news."""
    keys = {channel.key for channel in to}
    for message in memory.outbox:
        message.to = [key for key in message.to if key in keys]
        if message.to and now - message.made_at > KEPT:
            logger.error("An alert was not taken for a day and is given up: %s", message.title)
    memory.outbox = [message for message in memory.outbox if message.to and now - message.made_at <= KEPT]


def _deliver(memory: Memory, to: Sequence[Channel]) -> dict[str, str] | None:
    """Send what is in the outbox and take out what was taken; return the failures by channel.

    None where there was nothing to send. A channel that fails is not tried again within one look, so that
    its messages keep their order and a dead service takes little time.
    """
    if not memory.outbox:
        return None
    failures: dict[str, str] = {}
    for channel in to:
        for message in memory.outbox:
            if channel.key not in message.to:
                continue
            reason = channel.send(message.title, message.text, message.kind)
            if reason is not None:
                logger.warning("%s did not take an alert, it is tried again: %s", channel.name, reason)
                failures[channel.name] = reason
                break
            message.to.remove(channel.key)
    memory.outbox = [message for message in memory.outbox if message.to]
    return failures
