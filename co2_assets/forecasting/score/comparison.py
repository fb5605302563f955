"""Which of two models is better: paired errors on hours that neither was fitted to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd

from co2_assets.contracts.forecast_spec import CO2, HEADLINE_LEADS, HORIZON_HOURS, MEDIAN_COLUMN
from co2_assets.contracts.tables import PROMOTED, REJECTED
from co2_assets.forecasting.forecaster import Model
from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.issue.forecast import issue_forecasts

# Time between the issues that two models are compared on.
COMPARED_EVERY = timedelta(hours=3)

# Fewer hours than two days' say more about the weather than about the models.
LEAST_COMPARED_HOURS = 48


@dataclass(frozen=True)
class Verdict:
    """Whether a model was promoted, why, and what it was measured on (None for a first model)."""

    promoted: bool
    reason: str
    compared_with: str | None = None
    compared_from: datetime | None = None
    compared_to: datetime | None = None
    challenger_mae: float | None = None
    champion_mae: float | None = None

    @property
    def decision(self) -> str:
        return PROMOTED if self.promoted else REJECTED


def judge(challenger: Model, champion: Model | None, data: KnownData, now: datetime) -> Verdict:
    """Measure a challenger against the champion on hours later than what either was fitted to.

    Both forecast leads 1-6 every three hours from the end of their fitting to ``now``; the smaller
    mean absolute error of the median wins, a draw keeps the champion.
    """
    if champion is None:
        return Verdict(True, "There was no model before.")
    start = max(champion.record.fitted_until, challenger.record.fitted_until) + timedelta(hours=HORIZON_HOURS)
    issue_times = pd.date_range(pd.Timestamp(start).ceil("h"), now, freq=COMPARED_EVERY, inclusive="left")
    errors = _paired_errors(challenger, champion, data, list(issue_times))
    hours = errors.index.get_level_values("target_hour_utc").nunique() if len(errors) else 0
    if hours < LEAST_COMPARED_HOURS:
        return Verdict(
            False,
            f"Only {hours} hours lie after what both models were fitted to; a comparison needs "
            f"{LEAST_COMPARED_HOURS}.",
            compared_with=champion.version,
        )
    own, other = float(errors["challenger"].mean()), float(errors["champion"].mean())
    better = own < other
    return Verdict(
        better,
        f"MAE of leads 1-6 was {own:.2f} g/kWh against the champion's {other:.2f} over {hours} hours "
        "later than what either was fitted to.",
        compared_with=champion.version,
        compared_from=start,
        compared_to=now,
        challenger_mae=own,
        champion_mae=other,
    )


def judge_together(
    challengers: Sequence[Model],
    champions: Mapping[str, Model],
    data: Mapping[str, KnownData],
    now: datetime,
) -> dict[str, Verdict]:
    """Return a verdict for each area, all with one decision; ``champions`` and ``data`` are by area.

    The mean over areas of the challenger's error as a share of the champion's decides. An area that
    has no champion yet goes with the others.
    """
    verdicts = {
        model.area.name: judge(model, champions.get(model.area.name), data[model.area.name], now)
        for model in challengers
    }
    if len(verdicts) == 1 or not champions:
        return verdicts
    shares = {
        name: verdict.challenger_mae / verdict.champion_mae
        for name, verdict in verdicts.items()
        if verdict.challenger_mae is not None and verdict.champion_mae
    }
    better = bool(shares) and sum(shares.values()) / len(shares) < 1
    listed = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares.items()) or "none compared"
    return {
        name: replace(
            verdict, promoted=better, reason=f"{verdict.reason} Of the champion's error, by area: {listed}."
        )
        for name, verdict in verdicts.items()
    }


def _paired_errors(
    challenger: Model, champion: Model, data: KnownData, issue_times: list[datetime]
) -> pd.DataFrame:
    """Absolute errors of both models on the same issue and target hours of leads 1-6, g/kWh."""
    if not issue_times:
        return pd.DataFrame(columns=["challenger", "champion"])
    key = ["issue_time_utc", "target_hour_utc"]
    actual = data.aggregated.set_index("hour_utc")[CO2]
    columns = {}
    for name, model in (("challenger", challenger), ("champion", champion)):
        issued = issue_forecasts(model, data, issue_times)
        issued = issued[issued["lead_hours"].between(*HEADLINE_LEADS)]
        truth = issued["target_hour_utc"].map(actual).to_numpy()
        columns[name] = pd.Series(
            abs(issued[MEDIAN_COLUMN].to_numpy() - truth), index=pd.MultiIndex.from_frame(issued[key])
        )
    return pd.DataFrame(columns).dropna()
