"""What housekeeping removes, and that no forecast could ever tell."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from resilience_runs import DAY, HOUR, T0, at, differing, everything, folder, rows, tick, warehouse

from co2_assets import housekeeping
from co2_assets.contracts import CO2_EMISSION_PROGNOSIS, POWER_SYSTEM_RIGHT_NOW
from co2_assets.forecasting.danish_time import hour_of
from co2_assets.forecasting.model_file import version_of
from co2_assets.housekeeping import RUNS_KEPT, Tidied, prune_runs, tidy
from co2_assets.inputs import read_known_data
from co2_assets.pipeline import open_pipeline
from co2_assets.settings import Settings
from co2_assets.warehouse.tables import MODEL_TABLE


def tidied(settings: Settings) -> Tidied:
    with open_pipeline(settings) as pipeline:
        return tidy(pipeline)


def test_after_a_run_there_is_nothing_left_to_tidy(home: Settings) -> None:
    before = everything(home)
    assert tidied(home) == Tidied()
    assert differing(before, everything(home)) == set()


def test_minutes_older_than_the_history_go_and_their_hours_stay(home: Settings) -> None:
    hours = rows(home, "aggregated_data")
    shorter = replace(home, history_days=30)
    assert tidied(shorter).minutes > 0
    minutes = rows(home, POWER_SYSTEM_RIGHT_NOW.name)["minute_utc"]
    assert minutes.min() == minutes.max().floor("D") - 30 * DAY
    assert rows(home, "aggregated_data").equals(hours)
    assert tidied(shorter).minutes == 0


def test_under_a_clock_years_ahead_the_minutes_stay(home: Settings) -> None:
    with open_pipeline(home) as pipeline:
        assert tidy(replace(pipeline, now=T0 + 2000 * DAY)).minutes == 0


def test_no_forecast_can_tell_which_vintages_went(home: Settings) -> None:
    table = CO2_EMISSION_PROGNOSIS.table
    hour = T0 - 30 * DAY
    minutes = pd.date_range(hour, periods=12, freq="5min", unit="us")
    # Several versions within an hour, on the hour, and in a later hour.
    published = [hour - 3 * HOUR + timedelta(minutes=m) for m in (5, 20, 40, 60, 61, 100, 130, 179)]
    extra = pd.DataFrame(
        [
            {
                "price_area": zone,
                "minute_utc": minute,
                "published_at_utc": at_,
                "co2_g_per_kwh": 100.0 + number,
                "fetched_at_utc": T0,
            }
            for number, at_ in enumerate(published)
            for minute in minutes
            for zone in ("DK1", "DK2")
        ]
    )
    with warehouse(home).open_transaction() as transaction:
        transaction.append_vintages(table, extra)
    later = T0 + 40 * DAY

    def seen() -> np.ndarray:
        data = read_known_data(warehouse(home), since=T0 - 60 * DAY, until=later)
        instants = np.array([(hour_of(hour) - back) * 3600 for back in range(8)])
        return data.prognosis_at(np.full(8, hour_of(hour)), instants)

    before, count = seen(), len(rows(home, table.name))
    with open_pipeline(home) as pipeline:
        # Sixty to ninety days later, which is when they are looked at.
        removed = tidy(replace(pipeline, now=later)).vintages
    assert removed > 0
    assert len(rows(home, table.name)) == count - removed
    np.testing.assert_array_equal(seen(), before)


def test_rejected_models_go_after_a_while_and_champions_never(home: Settings) -> None:
    (champion,) = rows(home, "model_table").to_dict("records")
    with warehouse(home).open_transaction() as transaction:
        transaction.upsert(
            MODEL_TABLE,
            pd.DataFrame([{**champion, "model_version": "rejected", "decision": "rejected"}]),
        )
    models = folder(home).models
    (models / "rejected.safetensors").write_bytes(b"x")
    (models / "rejected.DK.json").write_text("{}")
    assert tidied(home).model_files == 0
    with open_pipeline(home) as pipeline:
        assert tidy(replace(pipeline, now=T0 + 91 * DAY)).model_files == 2
    assert [version_of(path) for path in models.iterdir()] == [champion["model_version"]] * 2


def test_files_that_no_row_speaks_of_go_after_a_week(home: Settings) -> None:
    models = folder(home).models
    orphan, young = models / "orphan.safetensors", models / "young.safetensors"
    for path, age_days in ((orphan, 30), (young, 1)):
        path.write_bytes(b"x")
        stamp = max(p.stat().st_mtime for p in models.iterdir()) - age_days * 86_400
        os.utime(path, (stamp, stamp))
    assert tidied(home).model_files == 1
    assert young.exists()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def test_old_runs_are_deleted_but_the_newest_of_each_job(instance: dg.DagsterInstance) -> None:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def often() -> None:
        nothing()

    @dg.job
    def seldom() -> None:
        nothing()

    runs = [job.execute_in_process(instance=instance).run_id for job in (seldom, often, often)]
    now = datetime.now(UTC).replace(tzinfo=None)
    assert prune_runs(instance, now) == 0
    assert prune_runs(instance, now + RUNS_KEPT + DAY) == 1
    assert {run.run_id for run in instance.get_runs()} == {runs[0], runs[2]}
    assert prune_runs(instance, now + RUNS_KEPT + DAY) == 0


def test_a_failing_housekeeping_does_not_fail_the_run(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(housekeeping, "tidy", full)
    assert tick(at(home, T0 + 6 * HOUR))
