"""Instants from outside: those that can be computed with, and a refusal that says which."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from co2_assets.contracts.time import EARLIEST_UTC, LATEST_UTC, bounded_utc
from co2_assets.settings import MAXIMUM_HISTORY_DAYS, SettingsError, parse_instant

ZONES = st.none() | st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(instant=st.datetimes(), zone=ZONES)
@example(datetime(1, 1, 1), timezone(timedelta(hours=14)))
@example(datetime(9999, 12, 31, 23, 59), timezone(timedelta(hours=-14)))
def test_an_instant_is_bounded_or_refused_with_what_is_allowed(
    instant: datetime, zone: timezone | None
) -> None:
    sent = instant.replace(tzinfo=zone)
    lowest, highest = (edge.replace(tzinfo=UTC) for edge in (EARLIEST_UTC, LATEST_UTC))
    if lowest <= instant.replace(tzinfo=zone or UTC) <= highest:
        bounded = bounded_utc(sent)
        assert bounded.replace(tzinfo=UTC) == instant.replace(tzinfo=zone or UTC)
        assert parse_instant(sent.isoformat()) == bounded.replace(microsecond=0)
        assert bounded - timedelta(days=MAXIMUM_HISTORY_DAYS) < bounded
    else:
        with pytest.raises(ValueError, match="1970-01-01T00:00:00Z to 2200-01-01T00:00:00Z"):
            bounded_utc(sent)
        with pytest.raises(SettingsError, match="1970-01-01T00:00:00Z to 2200-01-01T00:00:00Z"):
            parse_instant(sent.isoformat())


@pytest.mark.parametrize("text", ["9999-12-31T24:00", "0000-01-01", "10000-01-01", "2024-02-30", "now", ""])
def test_what_is_no_instant_is_refused_in_words(text: str) -> None:
    with pytest.raises(SettingsError, match="is not an ISO 8601 instant"):
        parse_instant(text, "--from")
