"""The bench's replay of the retraining rule: it asks as often as the service would, and no oftener."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bench.replay.differences import compared
from bench.replay.policies import MARK, Challenge, Replay, by_rule
from co2_assets.contracts.forecast_spec import HEADLINE_LEADS, MEDIAN_COLUMN, QUANTILE_COLUMNS
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.pipeline.retraining import AT_MOST_EVERY, MINIMUM_SCORED_HOURS, Trigger

START = datetime(2024, 4, 1)
END = START + timedelta(days=5)
ACTUAL = 100.0


def forecasts_off_by(error: float) -> pd.DataFrame:
    """Leads 1-6 of every mark of the replay, each off by ``error`` g/kWh."""
    first, last = HEADLINE_LEADS
    rows = [
        (issue, issue + timedelta(hours=lead - 1), lead)
        for issue in pd.date_range(START, END, freq=MARK)
        for lead in range(first, last + 1)
    ]
    frame = pd.DataFrame(rows, columns=["issue_time_utc", "target_hour_utc", "lead_hours"])
    return frame.assign(
        actual_g_per_kwh=ACTUAL,
        persistence_g_per_kwh=ACTUAL,
        energinet_prognosis_g_per_kwh=np.nan,
        **dict.fromkeys(QUANTILE_COLUMNS, ACTUAL + error),
    )


class Rehearsal(Replay):
    """A replay without trainings: every model errs by half, challengers win or lose as told."""

    def __init__(self, *, challengers_win: bool) -> None:
        self.start, self.end = START, END
        hours = pd.date_range(START - timedelta(days=300), END, freq="h")
        nothing = pd.DataFrame()
        self.data = KnownData(pd.DataFrame({"hour_utc": hours}), nothing, nothing, nothing)
        self.challengers_win = challengers_win

    def trained_at(self, until: datetime) -> SimpleNamespace:
        record = SimpleNamespace(data_from=START - timedelta(days=300), data_to=until)
        return SimpleNamespace(version=f"model of {until}", record=record)

    def outcomes(self, _model: SimpleNamespace) -> pd.DataFrame:
        return forecasts_off_by(50.0)

    def challenge(self, champion: SimpleNamespace, at: datetime, trigger: str) -> tuple:
        challenger = self.trained_at(at)
        same = compared(forecasts_off_by(50.0), forecasts_off_by(50.0))
        won = self.challengers_win
        result = Challenge(at, trigger, champion.version, challenger.version, won, "", None, None, same)
        return result, challenger if won else champion


def test_a_bad_model_that_no_challenger_beats_is_challenged_once_a_day() -> None:
    policy, checks = by_rule(Rehearsal(challengers_win=False))
    enough = START + timedelta(hours=MINIMUM_SCORED_HOURS)
    assert [each.at for each in policy.challenges] == list(
        pd.date_range(enough, END, freq=AT_MOST_EVERY, inclusive="left")
    )
    assert {each.trigger for each in policy.challenges} == {Trigger.ACCURACY_FELL}
    assert len(policy.reigns) == 1
    assert len(checks) == (END - START) / MARK


def test_a_new_champion_forecasts_from_the_next_run_on_and_is_scored_on_its_own_forecasts_only() -> None:
    policy, _ = by_rule(Rehearsal(challengers_win=True))
    first, second = (each.at for each in policy.challenges[:2])
    assert policy.reigns[1][0] == first + MARK
    assert second == first + MARK + timedelta(hours=MINIMUM_SCORED_HOURS)


def test_a_difference_is_worse_only_beyond_noise_and_on_common_hours() -> None:
    better, worse = forecasts_off_by(10.0), forecasts_off_by(12.0)
    worse.loc[0, MEDIAN_COLUMN] = np.nan
    constant = compared(worse, better)
    assert constant.n_hours == len(better) - 1
    assert constant.mean == pytest.approx(2.0)
    assert constant.verdict == "worse"

    # Two grams up one day and two down the next: no day says the same as the one before.
    sign = np.where(worse["target_hour_utc"].dt.day % 2, 1.0, -1.0)
    noisy = compared(better.assign(**{MEDIAN_COLUMN: ACTUAL + 10.0 + 2.0 * sign}), better)
    assert noisy.verdict == "equal"
