"""Model performance: the champion, its rivals, how they learned, and the data they live on."""

from datetime import datetime
from typing import Any

import dash_mantine_components as dmc
import pandas as pd
from dash import Dash, Input, Output

from co2_dash.advice.coming_hours import HEADLINE_HOURS
from co2_dash.charts.tables import DATA_LOG, EVALUATIONS, FRESHNESS, MODELS, QUARANTINE
from co2_dash.charts.training import CURVES, MONTHLY
from co2_dash.data import queries
from co2_dash.data.danish_time import date_and_clock
from co2_dash.data.notices import UNIT
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState, Reader
from co2_dash.pages.chart_card import chart_card, hand_choices
from co2_dash.pages.components import (
    ADDRESS,
    Part,
    area_chooser,
    area_in,
    card,
    choice,
    fact,
    facts,
    heading,
    html,
    listed,
    page,
)


def layout(view: View | None, state: DataState) -> Part:
    """Return the page."""
    versions = model_choices(view, state)
    chosen = versions[0][0] if versions else ""
    picker = choice({"type": "choice", "name": "model"}, "Model", versions, chosen, mb="sm", maw=420)
    return page(
        "Model performance",
        "Which model makes the forecasts, how it earned that, and the state of the data it is given.",
        *area_chooser(view, state),
        html.Section(
            card(html.Div(champion_parts(view, state), id="champion")), **{"aria-label": "The champion"}
        ),
        chart_card(MONTHLY),
        chart_card(CURVES, {"model": chosen}, picker),
        chart_card(MODELS),
        chart_card(EVALUATIONS),
        chart_card(FRESHNESS),
        chart_card(DATA_LOG),
        chart_card(QUARANTINE),
    )


def model_choices(view: View | None, state: DataState) -> list[tuple[str, str]]:
    """Return the models, the champion first: pairs of version and words that fit on a phone."""
    if view is None:
        return []
    champion = queries.champion(view, state.price_area)
    crowned = None if champion is None else champion["model_version"]
    models = queries.records(queries.models(view, state.price_area))
    return [
        (
            str(model["model_version"]),
            f"{'Champion' if model['model_version'] == crowned else str(model['decision']).capitalize()}"
            f", trained {_instant(model['trained_at_utc']):%Y-%m-%d %H:%M} UTC",
        )
        for model in sorted(models, key=lambda model: model["model_version"] != crowned)
    ]


def champion_parts(view: View | None, state: DataState) -> list[Part]:
    """Return what the champion is, how it did on its test, and what it was made from."""
    model = None if view is None else queries.champion(view, state.price_area)
    if view is None or model is None:
        return [heading("The champion"), dmc.Text("No model has been promoted yet.")]
    version = str(model["model_version"])
    return [
        heading("The champion", str(model["reason"])),
        facts(
            *_test_facts(view, state, version),
            fact("Version", html.Code(version)),
            fact("Architecture", f"{model['architecture']}, {model['parameters']:,.0f} weights"),
            fact("Trained", f"{_moment(model['trained_at_utc'])}, in {model['training_seconds']:.0f} s"),
            *_windows(view, state, version),
        ),
    ]


def _test_facts(view: View, state: DataState, version: str) -> list[Part]:
    """The champion's test evaluation, the same row that `Every evaluation` has."""
    rows = queries.newest_evaluations(view, state.price_area)
    rows = rows[(rows["model_version"] == version) & (rows["kind"] == "test")]
    rows = rows[(rows["lead_from_hours"] == 1) & (rows["lead_to_hours"] == HEADLINE_HOURS)]
    if rows.empty:
        return [fact("Test, leads 1–6", "not evaluated yet")]
    test = rows.iloc[0]
    skill = 100 * test["skill_persistence"]
    return [
        fact("Test error, leads 1–6", _said(test["mae_g_per_kwh"], ".1f", UNIT)),
        fact("Test accuracy, leads 1–6", _said(test["accuracy_percent"], ".1f", "%")),
        fact(
            "Against persistence",
            f"{abs(skill):.0f} % {'less' if skill >= 0 else 'more'} error than its "
            f"{_said(test['persistence_mae_g_per_kwh'], '.1f', UNIT)} on the same hours"
            if pd.notna(skill)
            else "not known",
        ),
        fact("Inside its 80 % band", f"{_said(test['coverage_80_percent'], '.0f', '%')} of test hours"),
    ]


PARTS = {
    "train": "Learned from",
    "validation": "Stopped and calibrated by",
    "test": "Tested on",
}
# The validation windows lie within those learned from (`forecasting.splits`).
OWN_BLOCKS = "; of those learned from: each network leaves out its own block"


def _windows(view: View, state: DataState, version: str) -> list[Part]:
    rows = queries.records(queries.training_sets(view, state.price_area, version))
    return [
        fact(
            PARTS.get(row["split"], str(row["split"]).capitalize()),
            f"{row['windows']:,} windows, {_day(row['from_utc'])} to {_day(row['to_utc'])}"
            f"{OWN_BLOCKS if row['split'] == 'validation' else ''}",
        )
        for row in sorted(rows, key=lambda row: list(PARTS).index(row["split"]))
    ]


def _moment(value: object) -> str:
    return date_and_clock(_instant(value))


def _day(value: object) -> str:
    return f"{_instant(value):%Y-%m-%d}"


def _instant(value: object) -> datetime:
    return pd.Timestamp(str(value)).to_pydatetime()


def _said(value: float, form: str, unit: str) -> str:
    return "not known" if pd.isna(value) else f"{value:{form}} {unit}"


def register(app: Dash, reader: Reader) -> None:
    """Add the callbacks that keep the words of this page up to date."""

    @app.callback(
        Output("champion", "children"),
        Output({"type": "choice", "name": "model"}, "data"),
        Input("data-token", "data"),
        ADDRESS,
        prevent_initial_call=True,
    )
    def say_champion(_data: str, address: str | None) -> tuple[Any, Any]:
        view, state = reader.look(area_in(address))
        return champion_parts(view, state), listed(model_choices(view, state))

    hand_choices(app, ("model",), ("curves",))
