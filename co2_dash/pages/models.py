"""The page "Model performance": the champion, the other models, their training, the state of the data."""

from datetime import datetime
from typing import Any

import dash_mantine_components as dmc
import pandas as pd
from dash import Dash, Input, Output

from co2_assets.contracts.danish_time import date_and_clock
from co2_assets.contracts.forecast_spec import HEADLINE_LEADS, ForecastKind
from co2_dash.charts.style import HEADLINE_TEXT
from co2_dash.charts.tables import DATA_LOG, EVALUATIONS, FRESHNESS, MODELS, QUARANTINE
from co2_dash.charts.training import CURVES, MONTHLY
from co2_dash.data import queries
from co2_dash.data.notices import UNIT
from co2_dash.data.snapshot_store import View
from co2_dash.data.state import DataState, Reader
from co2_dash.pages.chart_card import chart_card, pass_choices
from co2_dash.pages.components import (
    ADDRESS,
    Part,
    area_chooser,
    area_in,
    card,
    choice,
    choice_id,
    fact,
    facts,
    heading,
    html,
    keep_choices,
    one_of,
    page,
    select_data,
    usual_choices,
)


def layout(view: View | None, state: DataState, model: object = None) -> Part:
    """Return the page; ``model`` is whose training is shown, as in the address."""
    versions = model_choices(view, state)
    usual = versions[0][0] if versions else ""
    chosen = one_of([version for version, _ in versions], model, usual)
    picker = choice(choice_id("model"), "Model", versions, chosen, mb="sm", maw=420)
    return page(
        "Model performance",
        "Which model makes the forecasts, why it was chosen, and the state of the data.",
        *area_chooser(view, state),
        html.Section(
            card(html.Div(champion_parts(view, state), id="champion")), **{"aria-label": "The champion"}
        ),
        dmc.SimpleGrid(
            [chart_card(MONTHLY), chart_card(CURVES, {"model": chosen}, picker)],
            cols={"base": 1, "lg": 2},
            spacing="lg",
            className="side-by-side",
        ),
        chart_card(MODELS),
        chart_card(FRESHNESS),
        chart_card(EVALUATIONS, closed=True),
        chart_card(DATA_LOG, closed=True),
        chart_card(QUARANTINE, closed=True),
        usual_choices(model=usual),
    )


def model_choices(view: View | None, state: DataState) -> list[tuple[str, str]]:
    """Return the models, the champion first: pairs of version and a text that fits on a phone."""
    if view is None:
        return []
    champion = queries.champion(view, state.area.name)
    champion_version = None if champion is None else champion["model_version"]
    models = queries.records(queries.models(view, state.area.name))
    choices = []
    for model in sorted(models, key=lambda model: model["model_version"] != champion_version):
        is_champion = model["model_version"] == champion_version
        role = "Champion" if is_champion else str(model["decision"]).capitalize()
        text = f"{role}, trained {_instant(model['trained_at_utc']):%Y-%m-%d %H:%M} UTC"
        choices.append((str(model["model_version"]), text))
    return choices


def champion_parts(view: View | None, state: DataState) -> list[Part]:
    """Return what the champion is, its scores on the test hours, and what it was trained on."""
    model = None if view is None else queries.champion(view, state.area.name)
    if view is None or model is None:
        return [heading("The champion"), dmc.Text("No model has been promoted yet.")]
    version = str(model["model_version"])
    return [
        heading("The champion", f"{model['reason']} {OWN_BLOCKS}"),
        facts(
            *_test_facts(view, state, version),
            fact("Version", html.Code(version), wide=True),
            fact("Architecture", f"{model['architecture']}, {model['parameters']:,.0f} weights", wide=True),
            fact("Trained", f"{_moment(model['trained_at_utc'])}, in {_duration(model['training_seconds'])}"),
            *_split_facts(view, state, version),
        ),
    ]


def _test_facts(view: View, state: DataState, version: str) -> list[Part]:
    """Return the champion's test evaluation; the table of evaluations has the same row."""
    rows = queries.newest_evaluations(view, state.area.name)
    rows = rows[(rows["model_version"] == version) & (rows["kind"] == ForecastKind.TEST.value)]
    first, last = HEADLINE_LEADS
    rows = rows[(rows["lead_from_hours"] == first) & (rows["lead_to_hours"] == last)]
    if rows.empty:
        return [fact(f"Test, leads {HEADLINE_TEXT}", "not evaluated yet")]
    test = rows.iloc[0]
    skill = 100 * test["skill_persistence"]
    return [
        fact(f"Test error, leads {HEADLINE_TEXT}", _number(test["mae_g_per_kwh"], ".1f", UNIT)),
        fact(f"Test accuracy, leads {HEADLINE_TEXT}", _number(test["accuracy_percent"], ".1f", "%")),
        fact(
            "Against persistence",
            f"{abs(skill):.0f} % {'less' if skill >= 0 else 'more'} error than its "
            f"{_number(test['persistence_mae_g_per_kwh'], '.1f', UNIT)} on the same hours"
            if pd.notna(skill)
            else "not known",
        ),
        fact("Inside its 80 % band", f"{_number(test['coverage_80_percent'], '.0f', '%')} of test hours"),
    ]


SPLITS = {
    "train": "Trained on",
    "validation": "Validated and calibrated on",
    "test": "Tested on",
}
# The validation windows are among those trained on (see `co2_assets.forecasting.network.splits`).
OWN_BLOCKS = "Each network is validated on a block of its own, which only the other networks are trained on."


def _split_facts(view: View, state: DataState, version: str) -> list[Part]:
    """Return the windows that the model was trained, validated and tested on."""
    rows = queries.records(queries.training_sets(view, state.area.name, version))
    return [
        fact(
            SPLITS.get(row["split"], str(row["split"]).capitalize()),
            f"{row['windows']:,} windows, {_day(row['from_utc'])} to {_day(row['to_utc'])}",
        )
        for row in sorted(rows, key=lambda row: list(SPLITS).index(row["split"]))
    ]


def _moment(value: object) -> str:
    return date_and_clock(_instant(value))


def _duration(value: object) -> str:
    seconds = float(str(value))
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _day(value: object) -> str:
    return f"{_instant(value):%Y-%m-%d}"


def _instant(value: object) -> datetime:
    return pd.Timestamp(str(value)).to_pydatetime()


def _number(value: float, form: str, unit: str) -> str:
    return "not known" if pd.isna(value) else f"{value:{form}} {unit}"


def register(app: Dash, reader: Reader) -> None:
    """Add the callbacks that keep this page up to date."""

    @app.callback(
        Output("champion", "children"),
        Output(choice_id("model"), "data"),
        Input("data-token", "data"),
        ADDRESS,
        prevent_initial_call=True,
    )
    def update_champion(_data: str, address: str | None) -> tuple[Any, Any]:
        view, state = reader.look(area_in(address))
        return champion_parts(view, state), select_data(model_choices(view, state))

    pass_choices(app, ("model",), (CURVES,))
    keep_choices(app, "model")
