"""The result as one SVG: mean absolute error by lead, a line for each contestant."""

from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 56, 210, 44, 44
COLOURS = ("#08519c", "#6baed6", "#238b45", "#a1d99b", "#737373", "#bdbdbd", "#d94801", "#fdae6b", "#6a51a3")
STEP = 10


def error_picture(title: str, errors: Mapping[str, Sequence[float | None]]) -> str:
    """Return the SVG; ``errors`` is contestant -> MAE by lead from 1, g/kWh, None where it has none."""
    leads = max(len(values) for values in errors.values())
    highest = max(value for values in errors.values() for value in values if value is not None)
    top = STEP * -(-highest // STEP)
    step = 3 if leads <= 24 else 6

    def x(lead: int) -> float:
        return LEFT + (lead - 1) / (leads - 1) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{LEFT}" y="24" font-size="15">{title}</text>'
    ]
    right = WIDTH - RIGHT
    parts += [
        f'<line x1="{LEFT}" x2="{right}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#e5e5e5"/>'
        f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value}</text>'
        for value in range(0, round(top) + 1, STEP)
    ]
    parts += [
        f'<text x="{x(lead):.1f}" y="{HEIGHT - 22}" text-anchor="middle">{lead} h</text>'
        for lead in (1, *range(step, leads + 1, step))
    ]
    lowest_label = 0.0
    for colour, (name, values) in sorted(
        zip(COLOURS, errors.items(), strict=False), key=lambda item: _last(item[1][1])
    ):
        points = [(x(n), y(value)) for n, value in enumerate(values, start=1) if value is not None]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.2"/>')
        # Labels from the bottom up, no two on one another.
        place = points[-1][1] + 4 if not lowest_label else min(points[-1][1] + 4, lowest_label - 15)
        lowest_label = place
        parts.append(f'<text x="{right + 10}" y="{place:.1f}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _last(values: Sequence[float | None]) -> float:
    return [value for value in values if value is not None][-1]
