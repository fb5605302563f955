"""The forecast as a small picture, drawn as SVG so that it needs no plotting library."""

import base64
from collections.abc import Sequence

import pandas as pd

WIDTH, HEIGHT, MARGIN = 640, 220, 32
BAND, LINE, PAST = "#9ecae1", "#08519c", "#525252"


def forecast_picture(actual: pd.DataFrame, forecast: pd.DataFrame) -> str:
    """Return Markdown with an embedded SVG: the last measured hours, the median and the 80 % band.

    ``actual`` has the columns of `aggregated_data`, ``forecast`` those of `predictions`, both in
    time order.
    """
    times = [*actual["hour_utc"], *forecast["target_hour_utc"]]
    first, last = min(times), max(times)
    top = max(actual["co2_g_per_kwh"].max(), forecast["q90_g_per_kwh"].max()) * 1.05

    def points(at: Sequence[pd.Timestamp], values: Sequence[float]) -> str:
        return " ".join(
            f"{MARGIN + (t - first) / (last - first) * (WIDTH - 2 * MARGIN):.1f},"
            f"{HEIGHT - MARGIN - v / top * (HEIGHT - 2 * MARGIN):.1f}"
            for t, v in zip(at, values, strict=True)
        )

    hours = list(forecast["target_hour_utc"])
    band = points(
        hours + hours[::-1], [*forecast["q90_g_per_kwh"], *forecast["q10_g_per_kwh"].tolist()[::-1]]
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        f'<polygon points="{band}" fill="{BAND}"/>'
        f'<polyline points="{points(list(actual["hour_utc"]), list(actual["co2_g_per_kwh"]))}" '
        f'fill="none" stroke="{PAST}" stroke-width="2"/>'
        f'<polyline points="{points(hours, list(forecast["q50_g_per_kwh"]))}" fill="none" '
        f'stroke="{LINE}" stroke-width="2"/>'
        f'<text x="{MARGIN}" y="18">g CO2/kWh, 0 to {top:.0f}: measured (grey), median and 80 % band</text>'
        f'<text x="{MARGIN}" y="{HEIGHT - 10}">{first:%Y-%m-%d %H:%M} UTC</text>'
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 10}" text-anchor="end">{last:%Y-%m-%d %H:%M} UTC</text>'
        "</svg>"
    )
    return f"![forecast](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
