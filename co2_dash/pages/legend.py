"""The legend of a chart as a part of the page, so that its lines wrap like text."""

from co2_dash.charts.chart import Figure
from co2_dash.pages.components import Part, html

_BORDERS = {"solid": "solid", "dash": "dashed", "dot": "dotted"}

_SIGNS = {
    "diamond": "◆",
    "circle": "●",
    "circle-open": "○",
    "square-open": "□",
    "x-thin-open": "×",
    "cross-thin-open": "+",
    "asterisk-open": "✳",
}


def legend(figure: Figure) -> list[Part]:
    """Return the entries of a figure's legend, one for each name; none when there is only one name."""
    traces: dict[str, Figure] = {}
    for trace in figure["data"]:
        if "name" in trace:
            traces.setdefault(trace["name"], trace)
    if len(traces) < 2:
        return []
    return [html.Li([_swatch(trace), name]) for name, trace in traces.items()]


def _swatch(trace: Figure) -> Part:
    """Return the colour patch, the marker or the line in front of a name in the legend."""
    marker, line = trace.get("marker", {}), trace.get("line", {})
    if "fillcolor" in trace or trace["type"] == "bar":
        colour = trace.get("fillcolor") or marker["color"]
        return html.Span(className="swatch", style={"background": colour})
    if trace["mode"] == "markers" or "symbol" in marker:
        return html.Span(_SIGNS[marker["symbol"]], className="sign", style={"color": marker["color"]})
    border = f"{max(2, line['width'])}px {_BORDERS[line.get('dash', 'solid')]} {line['color']}"
    return html.Span(className="stroke", style={"borderTop": border})
