"""Times and durations as text: in Danish time for people, as ISO 8601 for programs."""

from datetime import UTC, date, datetime, time, timedelta

from co2_assets.contracts.time import COPENHAGEN, HOUR


def danish(instant_utc: datetime) -> datetime:
    """Return the naive UTC instant as an aware datetime in Danish time."""
    return instant_utc.replace(tzinfo=UTC).astimezone(COPENHAGEN)


def utc_of(day: date, at: time = time.min) -> datetime:
    """Return a Danish date and time of day as naive UTC; the first of the two where the clock repeats it."""
    return datetime.combine(day, at, COPENHAGEN).astimezone(UTC).replace(tzinfo=None)


def next_at(at: time, now_utc: datetime) -> datetime:
    """Return the first instant after now at which the Danish clock shows a time of day, as naive UTC."""
    today = danish(now_utc).date()
    days = (utc_of(today + timedelta(days=number), at) for number in range(3))
    return next(instant for instant in days if instant > now_utc)


def offset(instant_utc: datetime) -> timedelta:
    """Return the difference between Danish time and UTC at that instant: one or two hours."""
    return danish(instant_utc).utcoffset() or timedelta(0)


def zone_name(instant_utc: datetime) -> str:
    """Return ``CET`` or ``CEST``."""
    return danish(instant_utc).strftime("%Z")


def iso_utc(instant_utc: datetime) -> str:
    """Return the naive UTC instant as ISO 8601 with its offset, ``2024-06-01T00:00:00Z``."""
    return instant_utc.isoformat(timespec="seconds") + "Z"


def iso_danish(instant_utc: datetime) -> str:
    """Return the instant in Danish time as ISO 8601 with its offset."""
    return danish(instant_utc).isoformat(timespec="seconds")


def clock(instant_utc: datetime) -> str:
    """Return the Danish time of day, ``14:05``; with the zone in the hour that the clock shows twice."""
    local = danish(instant_utc)
    is_shown_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{local:%H:%M %Z}" if is_shown_twice else f"{local:%H:%M}"


def clock_and_zone(instant_utc: datetime) -> str:
    """Return the Danish time of day with its zone, ``14:05 CEST``."""
    return f"{danish(instant_utc):%H:%M %Z}"


def date_and_clock(instant_utc: datetime) -> str:
    """Return the Danish date and time of day, ``Sat 1 Jun 2024 14:05 CEST``."""
    local = danish(instant_utc)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M %Z}"


def day_and_clock(instant_utc: datetime, now_utc: datetime) -> str:
    """Return the Danish time of day, with the day unless it is today: ``02:00 tomorrow``."""
    local, today, at = danish(instant_utc), danish(now_utc).date(), clock(instant_utc)
    days = (local.date() - today).days
    if days == 0:
        return at
    if days == 1:
        return f"{at} tomorrow"
    if days == -1:
        return f"{at} yesterday"
    return f"{at} on {local:%a} {local.day} {local:%b}"


def day_name(day: date, today: date) -> str:
    """Return a day in words: ``Today``, ``Tomorrow``, ``Mon 3 Jun``."""
    return {0: "Today", 1: "Tomorrow"}.get((day - today).days, f"{day:%a} {day.day} {day:%b}")


def hours_phrase(duration: timedelta) -> str:
    """Return a duration in hours as words: ``1 hour``, ``3 hours``, ``0.5 hours``."""
    hours = duration / HOUR
    return "1 hour" if hours == 1 else f"{hours:g} hours"


def span(duration: timedelta) -> str:
    """Return a duration in one rounded unit: ``23 min``, ``5 h``, ``3 days``."""
    minutes = max(0, round(duration.total_seconds() / 60))
    if minutes < 90:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} days"
