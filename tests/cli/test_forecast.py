"""`co2 forecast`: as many hours as are asked for, and each coming day in short."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from co2_assets.cli.commands import app
from co2_assets.contracts.forecast_spec import HORIZON_HOURS
from co2_assets.warehouse import snapshots
from co2_assets.warehouse.database import Warehouse
from co2_assets.warehouse.issue_archive import archive_issues
from co2_assets.warehouse.paths import Home
from tests.support import snapshot_data
from tests.support.environment import without_settings
from tests.support.made_once import made_once


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    without_settings(monkeypatch)


@pytest.fixture(scope="session")
def recorded_home(tmp_path_factory: pytest.TempPathFactory, archive_dir: Path) -> Path:
    """A home with a recording of 1 June 2024, 13:20 UTC. Not to be written to."""

    def make(folder: Path) -> None:
        published_at = datetime(2026, 1, 1)
        snapshot_data.publish(
            Home(folder), archive_dir, source="archive", published_at=published_at, reach=HORIZON_HOURS
        )

    return made_once(tmp_path_factory, "recorded-far-home", make)


def forecast(home: Path, archive_dir: Path, *more: str) -> Result:
    source = ("--home", str(home), "--source", f"archive:{archive_dir}")
    return CliRunner().invoke(app, ["forecast", *source, *more])


# The forecast was issued at 12:00, and it is 13:20.
@pytest.mark.parametrize(
    ("options", "first", "last"), [((), 1, 24), (("--hours", "1"), 2, 2), (("--hours", "72"), 2, 72)]
)
def test_so_many_hours_are_printed(
    recorded_home: Path, archive_dir: Path, options: tuple[str, ...], first: int, last: int
) -> None:
    answer = json.loads(forecast(recorded_home, archive_dir, "--json", *options).stdout)
    assert [hour["lead_hours"] for hour in answer["hours"]] == list(range(first, last + 1))
    printed = forecast(recorded_home, archive_dir, *options).stdout
    assert printed.count("█\n") + printed.count("█ ") == last + 1 - first


def test_hours_are_counted_from_now_on_like_those_of_the_api(recorded_home: Path, archive_dir: Path) -> None:
    # The forecast of 18:00 is the newest until midnight.
    then = ("--as-of", "2024-05-30T21:40Z", "--json")
    hours = json.loads(forecast(recorded_home, archive_dir, *then, "--hours", "2").stdout)["hours"]
    assert [hour["target_hour_utc"] for hour in hours] == ["2024-05-30T21:00:00Z", "2024-05-30T22:00:00Z"]
    whole = json.loads(forecast(recorded_home, archive_dir, *then).stdout)["hours"]
    assert [hour["lead_hours"] for hour in whole] == list(range(1, 25)), "past hours included"
    far = json.loads(forecast(recorded_home, archive_dir, *then, "--hours", "72").stdout)["hours"]
    assert far[0]["target_hour_utc"] == "2024-05-30T21:00:00Z"
    assert (far[-1]["lead_hours"], len(far)) == (72, 72 - 3)


@pytest.fixture(scope="session")
def home_with_an_archive(tmp_path_factory: pytest.TempPathFactory, archive_dir: Path) -> Path:
    """The same recording, whose forecasts of May are in the archive of issues alone. Not to be written to."""

    def make(folder: Path) -> None:
        home = Home(folder)
        snapshot_data.publish(home, archive_dir, source="archive", reach=HORIZON_HOURS)
        source = home.source("archive")
        warehouse = Warehouse(source.database, "archive")
        archive_issues(warehouse, now=snapshot_data.NOW)
        with warehouse.session() as connection:
            connection.execute("DELETE FROM predictions WHERE issued_at_utc < '2024-06-01'")
        later = datetime(2026, 1, 1)
        snapshots.publish(warehouse, source.snapshots, as_of_utc=snapshot_data.NOW, published_at_utc=later)

    return made_once(tmp_path_factory, "archived-far-home", make)


def test_a_forecast_of_a_past_month_is_read_from_the_archive(
    recorded_home: Path, home_with_an_archive: Path, archive_dir: Path
) -> None:
    then = ("--as-of", "2024-05-30T21:40Z", "--hours", "72")
    for more in (then, (*then, "--json")):
        from_archive = forecast(home_with_an_archive, archive_dir, *more)
        assert from_archive.exit_code == 0
        assert from_archive.stdout == forecast(recorded_home, archive_dir, *more).stdout


def test_a_time_before_the_first_forecast_says_when_that_was(
    home_with_an_archive: Path, archive_dir: Path
) -> None:
    refused = forecast(home_with_an_archive, archive_dir, "--as-of", "2023-06-01T00:00Z")
    assert refused.exit_code == 1
    said = " ".join(refused.stderr.split())
    assert (
        "no forecast of DK was issued by then; the oldest that is kept was issued 2024-04-17T18:00:00Z"
        in said
    )
    assert "give a later time to --as-of" in said


def test_a_forecast_that_has_run_out_is_named(recorded_home: Path, archive_dir: Path) -> None:
    late = ("--as-of", "2024-06-20T12:00Z", "--hours", "3")
    refused = forecast(recorded_home, archive_dir, *late)
    assert refused.exit_code == 1
    assert "issued 2024-06-01T" in refused.stderr
    assert "has none of these hours" in refused.stderr
    assert "co2 tick" in refused.stderr


@pytest.mark.parametrize("hours", ["0", "73", "a day"])
def test_a_number_of_hours_that_is_not_forecast_is_refused(
    recorded_home: Path, archive_dir: Path, hours: str
) -> None:
    refused = forecast(recorded_home, archive_dir, "--hours", hours)
    assert refused.exit_code == 2
    assert "--hours" in refused.stderr


def test_each_coming_day_is_told_in_short(recorded_home: Path, archive_dir: Path) -> None:
    days = json.loads(forecast(recorded_home, archive_dir, "--json").stdout)["days"]
    assert [(day["date"], day["n_hours"]) for day in days] == [
        ("2024-06-01", 8),
        ("2024-06-02", 24),
        ("2024-06-03", 24),
        ("2024-06-04", 14),
    ]
    for day in days:
        assert day["cleanest"]["median"] < day["dirtiest"]["median"]
        assert day["cleanest"]["q10"] <= day["cleanest"]["median"] <= day["cleanest"]["q90"]
        assert day["cleanest"]["level"]
    printed = forecast(recorded_home, archive_dir).stdout
    for words in ("Today", "Tomorrow", "Mon 3 Jun", "Tue 4 Jun", "cleanest", "dirtiest"):
        assert words in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_the_days_of_an_earlier_forecast_begin_at_the_time_asked_for(
    recorded_home: Path, archive_dir: Path
) -> None:
    then = ("--as-of", "2024-05-30T20:00Z", "--json")
    answer = json.loads(forecast(recorded_home, archive_dir, *then).stdout)
    assert answer["issue_time_utc"] == "2024-05-30T18:00:00Z"
    # At 22:00 in Denmark no three whole hours of the day are left.
    assert answer["days"][0]["date"] == "2024-05-31"


def test_an_area_is_named_in_any_case_of_letters(recorded_home: Path, archive_dir: Path) -> None:
    answer = json.loads(forecast(recorded_home, archive_dir, "--json", "--area", "dk1").stdout)
    assert answer["price_area"] == "DK1"
    refused = forecast(recorded_home, archive_dir, "--area", "SE3")
    assert refused.exit_code == 2
    assert "there are DK, DK1, DK2" in " ".join(refused.stderr.replace("│", " ").split())
