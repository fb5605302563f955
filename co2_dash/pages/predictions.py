"""The page "Recent predictions vs actual": past forecasts compared with what was measured."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output

from co2_assets.contracts.areas import DENMARK
from co2_assets.contracts.forecast_spec import HORIZON_HOURS, Cadence, ForecastKind, series_name
from co2_assets.warehouse.issue_archive import KEPT_FOR
from co2_dash.charts.outcome_choices import (
    DAYS,
    DEFAULT_LEADS,
    DEFAULT_PERIOD,
    PERIODS,
    SERIES,
    default_series,
)
from co2_dash.charts.outcomes import OUTCOMES
from co2_dash.charts.scores import CALIBRATION, LEADS, ROLLING
from co2_dash.data import queries
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
    html,
    keep_choices,
    one_of,
    page,
    usual_choices,
)
from co2_dash.path_prefix import linked


def layout(
    view: View | None, state: DataState, period: object = None, kind: object = None, lead: object = None
) -> Part:
    """Return the page; the period, the kind of forecasts and the lead are as in the address."""
    scored = _scored_hours(view, state)
    usual = {"period": DEFAULT_PERIOD, "kind": default_series(scored).value, "lead": DEFAULT_LEADS}
    chosen_lead = one_of([value for value, _ in _leads()], lead, DEFAULT_LEADS)
    options = {
        "period": one_of(list(PERIODS), period, usual["period"]),
        "kind": one_of(list(SERIES), kind, usual["kind"]),
    }
    query = "" if state.area == DENMARK else f"?area={state.area.name}"
    return page(
        "Recent predictions vs actual",
        "Every forecast is kept as it was issued and compared with what was measured afterwards.",
        *area_chooser(view, state),
        card(
            dmc.Group(
                [
                    _choice("period", "Over the last", [(name, name) for name in PERIODS], options["period"]),
                    _choice("kind", "Forecasts", list(SERIES.items()), options["kind"]),
                    _lead_choice(chosen_lead),
                ],
                gap="md",
                className="choices",
            ),
            html.Div(scored_text(scored), id="scored"),
            dmc.Text(
                [
                    html.A("The whole record", href=linked(f"/api/v1/record{query}")),
                    ": every live forecast with what came true, by month, as Parquet and CSV. ",
                    html.A("The scorecard", href=linked(f"/api/v1/scorecard{query}")),
                    " has its errors in short.",
                ],
                size="sm",
                mt="xs",
            ),
        ),
        chart_card(OUTCOMES, {**options, "lead": chosen_lead}),
        dmc.SimpleGrid(
            [chart_card(LEADS, options), chart_card(CALIBRATION, options)],
            cols={"base": 1, "lg": 2},
            spacing="lg",
            className="side-by-side",
        ),
        chart_card(ROLLING, options),
        usual_choices(**usual),
    )


def _scored_hours(view: View | None, state: DataState) -> dict[str, int]:
    return {} if view is None else queries.scored_hours(view, state.area.name)


def scored_text(scored: dict[str, int]) -> Part:
    """Return how many hours have been scored, given that number by series of forecasts."""
    live, hindcast = scored.get(ForecastKind.LIVE, 0), scored.get(ForecastKind.HINDCAST, 0)
    between = scored.get(series_name(ForecastKind.LIVE, Cadence.HOURLY), 0)
    backfill = scored.get(ForecastKind.BACKFILL)
    by_old_models = "" if backfill is None else f", {backfill} with forecasts by a model of that time"
    return dmc.Text(
        f"Hours compared so far: {live} with six-hourly forecasts, {between} with those in between "
        f"(kept here for {KEPT_FOR[Cadence.HOURLY].days} days), "
        f"{hindcast} with forecasts issued afterwards{by_old_models}. A forecast issued "
        "afterwards is made for a time that is past, from what was known then only. "
        "Each kind is counted by itself.",
        size="sm",
        c="dimmed",
        mt="sm",
    )


def _choice(name: str, label: str, options: list[tuple[str, str]], value: str) -> Part:
    return choice(choice_id(name), label, options, value)


def _leads() -> list[tuple[str, str]]:
    """Return the days of leads and the single leads: pairs of value and text."""
    days = [(value, f"all, {first}–{last} h ahead") for value, (first, last) in DAYS.items()]
    return [*days, *((str(lead), f"{lead} h ahead") for lead in range(1, HORIZON_HOURS + 1))]


def _lead_choice(value: str) -> Part:
    """Return the choice of a day of leads or of one lead, which can also be typed."""
    return choice(
        choice_id("lead"),
        "Lead",
        _leads(),
        value,
        searchable=True,
        nothingFoundMessage=f"There are leads of 1 to {HORIZON_HOURS} hours",
    )


def register(app: Dash, reader: Reader) -> None:
    """Add the callbacks that keep this page up to date."""

    @app.callback(
        Output("scored", "children"), Input("data-token", "data"), ADDRESS, prevent_initial_call=True
    )
    def update_scored(_data: str, address: str | None) -> Any:
        return scored_text(_scored_hours(*reader.look(area_in(address))))

    pass_choices(app, ("period", "kind"), (LEADS, CALIBRATION, ROLLING))
    pass_choices(app, ("period", "kind", "lead"), (OUTCOMES,))
    keep_choices(app, "period", "kind", "lead")
