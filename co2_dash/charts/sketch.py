"""The coming hours as a small SVG, for the time before the library of the charts is there."""

from collections.abc import Sequence

from co2_assets.advice.cleanest_window import ForecastHour
from co2_assets.contracts.danish_time import clock, danish
from co2_assets.contracts.time import HOUR

# About as wide as a phone, where its letters are as large as the others.
WIDTH, HEIGHT = 420, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 24, 26
# Hours between two labels of the time axis, and lines across: few, for it is read at a glance.
_LABEL_EVERY = 6
_STEPS = (10, 20, 50, 100, 200, 500)
_MOST_LINES = 5


def sketch(hours: Sequence[ForecastHour], unit: str) -> str:
    """Return the median and the 80 % band of ``hours``, which must not be empty, as SVG for a document.

    Its colours are those of the style sheet, by class.
    """
    top = max(hour.high for hour in hours)
    step = next((step for step in _STEPS if top / step <= _MOST_LINES), _STEPS[-1])
    top = max(top * 1.05, step)

    def x(place: float) -> float:
        return _LEFT + place / len(hours) * (WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - value / top * (HEIGHT - _TOP - _BOTTOM)

    def points(values: Sequence[float]) -> list[str]:
        return [f"{x(number + 0.5):.1f},{y(value):.1f}" for number, value in enumerate(values)]

    band = points([hour.high for hour in hours]) + points([hour.low for hour in hours])[::-1]
    lines = [
        f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value}</text>'
        for value in range(0, int(top) + 1, step)
    ]
    times = [
        f'<text x="{x(number):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{clock(hour.start_utc)}</text>'
        for number, hour in enumerate(hours)
        if danish(hour.start_utc).hour % _LABEL_EVERY == 0
    ]
    first, last = clock(hours[0].start_utc), clock(hours[-1].start_utc + HOUR)
    return (
        f'<svg class="sketch" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="The forecast from {first} to {last}">'
        f'<text x="{_LEFT}" y="14">{unit}, Danish time: median and 80 % band</text>'
        f"{''.join(lines)}{''.join(times)}"
        f'<polygon points="{" ".join(band)}"/>'
        f'<polyline points="{" ".join(points([hour.median for hour in hours]))}"/>'
        "</svg>"
    )
