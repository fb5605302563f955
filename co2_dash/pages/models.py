"""Model performance: the champion, its rivals, how they learned, and the data they live on."""

from datetime import datetime

import dash_mantine_components as dmc
import pandas as pd

from co2_dash import queries
from co2_dash.components import html
from co2_dash.danish_time import date_and_clock
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
    """Return the models, the champion first: pairs of version and words."""
    champion = None if view is None else queries.champion(view, situation.price_area)
    if view is None:
        return []
    crowned = None if champion is None else champion["model_version"]
    versions = [str(version) for version in queries.models(view, situation.price_area)["model_version"]]
    ordered = sorted(versions, key=lambda version: version != crowned)
    return [(v, f"{v} (champion)" if v == crowned else v) for v in ordered]


def champion_parts(view: View | None, situation: Situation) -> list[Part]:
    """Return what the champion is, what it was made from and how it did."""
    model = None if view is None else queries.champion(view, situation.price_area)
    if view is None or model is None:
        return [heading("The champion"), dmc.Text("No model has been promoted yet.")]
    return [
        heading("The champion", str(model["reason"])),
        facts(
            fact("Version", html.Code(str(model["model_version"]))),
            fact("Architecture", str(model["architecture"])),
            fact("Trained", _moment(model["trained_at_utc"])),
            fact("On data", f"{_day(model['data_from_utc'])} to {_day(model['data_to_utc'])}"),
            fact("Error on its test part", _grams(model["test_mae_g_per_kwh"])),
            fact("Persistence there", _grams(model["test_persistence_mae_g_per_kwh"])),
            fact("Error on validation", _grams(model["validation_mae_g_per_kwh"])),
            fact("Weights", f"{model['parameters']:,.0f}"),
            fact("Training took", f"{model['training_seconds']:.0f} s"),
            *_windows(view, situation, str(model["model_version"])),
        ),
    ]


def _windows(view: View, situation: Situation, version: str) -> list[Part]:
    return [
        fact(
            f"{row['split'].capitalize()} windows",
            f"{row['windows']:,}, {_day(row['from_utc'])} to {_day(row['to_utc'])}",
        )
        for row in queries.records(queries.training_sets(view, situation.price_area, version))
    ]


def _moment(value: object) -> str:
    return date_and_clock(_instant(value))


def _day(value: object) -> str:
    return f"{_instant(value):%Y-%m-%d}"


def _instant(value: object) -> datetime:
    return pd.Timestamp(str(value)).to_pydatetime()


def _grams(value: object) -> str:
    number = float(str(value))
    return "not measured" if pd.isna(number) else f"{number:.1f} {UNIT} (leads 1–6)"
