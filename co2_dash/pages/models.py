"""Model performance: the champion, its rivals, how they learned, and the data they live on."""

from datetime import datetime

import dash_mantine_components as dmc
import pandas as pd

from co2_dash import queries
from co2_dash.components import html
from co2_dash.danish_time import date_and_clock
from co2_dash.exhibits.forecast import HEADLINE_HOURS
from co2_dash.exhibits.models import (
    CURVES,
    DATA_LOG,
    EVALUATIONS,
    FRESHNESS,
    MODELS,
    MONTHLY,
    QUARANTINE,
)
from co2_dash.pages.parts import Part, area_chooser, card, choice, exhibit_card, fact, facts, heading, page
from co2_dash.situation import Situation
from co2_dash.store import View
from co2_dash.wording import UNIT


def layout(view: View | None, situation: Situation) -> Part:
    """Return the page."""
    versions = model_choices(view, situation)
    chosen = versions[0][0] if versions else ""
    picker = choice({"type": "choice", "name": "model"}, "Model", versions, chosen, mb="sm", maw=420)
    return page(
        "Model performance",
        "Which model makes the forecasts, how it earned that, and the state of the data it is given.",
        *area_chooser(view, situation),
        html.Section(
            card(html.Div(champion_parts(view, situation), id="champion")), **{"aria-label": "The champion"}
        ),
        exhibit_card(MONTHLY),
        exhibit_card(CURVES, {"model": chosen}, picker),
        exhibit_card(MODELS),
        exhibit_card(EVALUATIONS),
        exhibit_card(FRESHNESS),
        exhibit_card(DATA_LOG),
        exhibit_card(QUARANTINE),
    )


def model_choices(view: View | None, situation: Situation) -> list[tuple[str, str]]:
    """Return the models, the champion first: pairs of version and words that fit on a phone."""
    if view is None:
        return []
    champion = queries.champion(view, situation.price_area)
    crowned = None if champion is None else champion["model_version"]
    models = queries.records(queries.models(view, situation.price_area))
    return [
        (
            str(model["model_version"]),
            f"{'Champion' if model['model_version'] == crowned else str(model['decision']).capitalize()}"
            f", trained {_instant(model['trained_at_utc']):%Y-%m-%d %H:%M} UTC",
        )
        for model in sorted(models, key=lambda model: model["model_version"] != crowned)
    ]


def champion_parts(view: View | None, situation: Situation) -> list[Part]:
    """Return what the champion is, how it did on its test, and what it was made from."""
    model = None if view is None else queries.champion(view, situation.price_area)
    if view is None or model is None:
        return [heading("The champion"), dmc.Text("No model has been promoted yet.")]
    version = str(model["model_version"])
    return [
        heading("The champion", str(model["reason"])),
        facts(
            *_test_facts(view, situation, version),
            fact("Version", html.Code(version)),
            fact("Architecture", f"{model['architecture']}, {model['parameters']:,.0f} weights"),
            fact("Trained", f"{_moment(model['trained_at_utc'])}, in {model['training_seconds']:.0f} s"),
            *_windows(view, situation, version),
        ),
    ]


def _test_facts(view: View, situation: Situation, version: str) -> list[Part]:
    """The champion's test evaluation, the same row that `Every evaluation` has."""
    rows = queries.newest_evaluations(view, situation.price_area)
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


def _windows(view: View, situation: Situation, version: str) -> list[Part]:
    rows = queries.records(queries.training_sets(view, situation.price_area, version))
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
