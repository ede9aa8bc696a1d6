"""Pictures that carry numbers, as SVG and HTML strings: no library, no script, light and dark by the style sheet.

Each has a table with the same numbers beside it, so a picture is never the only source. Everything that comes from
outside (class and file names) is escaped here; the strings are safe to place in a page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup, escape

from snowroll.base.nouns import Metric
from snowroll.evaluate.calibration import Bin

Points = Sequence[tuple[float, float]]

MOST_DOTS = 600  # of a picture of points: 40 kB
MOST_CLASSES = 24  # a larger matrix cannot be read; the report then lists the commonest confusions
_WIDTH, _HEIGHT = 440, 230  # user units; the drawing scales with the page
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 26, 44


def interval_bar(metric: Metric, low: float = 0.0, high: float = 1.0, mark: float | None = None) -> Markup:
    """A line from low to high with a dot at the value; `mark`: a reference such as the blind baseline."""

    def x(value: float) -> float:
        return round(4 + 192 * min(1.0, max(0.0, (value - low) / (high - low))), 1)

    reference = f'<line class="mark" x1="{x(mark)}" x2="{x(mark)}" y1="2" y2="18"/>' if mark is not None else ""
    return Markup(
        f'<svg class="interval" viewBox="0 0 200 20" aria-hidden="true">'
        f'<line class="axis" x1="4" x2="196" y1="10" y2="10"/>{reference}'
        f'<line class="band" x1="{x(metric.low)}" x2="{x(metric.high)}" y1="10" y2="10"/>'
        f'<circle cx="{x(metric.value)}" cy="10" r="4.5"/></svg>'
    )


def matrix(
    table: Sequence[Sequence[int]], classes: Sequence[str], link: Callable[[int, int], str | None] | None = None
) -> Markup:
    """Confusion matrix as an HTML table: rows are the truth, columns the answer, shading the share of the row.

    link(truth, guess) -> where a cell leads ("#shots-3-5"), or None.
    """
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in classes)
    rows = []
    for truth, name in enumerate(classes):
        total = sum(table[truth])
        cells = "".join(
            _cell(table[truth][guess], total, truth == guess, link(truth, guess) if link else None)
            for guess in range(len(classes))
        )
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}<td class="n dim">{total:,}</td></tr>')
    return Markup(
        '<table class="matrix"><caption>Rows: what it was. Columns: what the model said. '
        "Blue: right; orange: wrong; stronger: a larger share of the row.</caption>"
        f'<thead><tr><td></td>{head}<th scope="col" class="n">n</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def curve(title: str, series: Mapping[str, Points], unit: str = "", log: bool = False, over: str = "step") -> Markup:
    """Lines over steps, or what `over` says, thinned to what the width can show: of each stretch lowest and highest."""
    shown = {name: _finite(points, log) for name, points in series.items()}
    shown = {name: thin(points) for name, points in shown.items() if points}
    if not shown:
        return Markup("<p>{}: no finite value was logged.</p>").format(title)
    xs = [x for points in shown.values() for x, _ in points]
    ys = [y for points in shown.values() for _, y in points]
    across = _scale(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT, False)
    up = _scale(min(ys), max(ys), _HEIGHT - _BOTTOM, _TOP, log)
    parts = [_axes(across, up, (min(xs), max(xs)), (min(ys), max(ys)), over, unit, log)]
    for number, points in enumerate(shown.values()):
        path = "M" + "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in points)
        if len(points) == 1:  # a line of one point is invisible
            (x, y) = points[0]
            parts.append(f'<circle class="s{number % 4}" cx="{across(x):.1f}" cy="{up(y):.1f}" r="4"/>')
        parts.append(f'<path class="line s{number % 4}" d="{path}"/>')
    drawing = _svg(title, "".join(parts), _spoken(shown))
    rows = [(name, *(f"{y:.4g}" for y in _summary([y for _, y in points]))) for name, points in shown.items()]
    return _figure(title, list(shown), drawing, _table(("", "first", "lowest", "highest", "last"), rows))


def reliability_diagram(bins: Sequence[Bin]) -> Markup:
    """Share right against stated confidence, each bin with its interval; on the diagonal, words can be trusted."""
    across, up = _scale(0, 1, _LEFT, _WIDTH - _RIGHT, False), _scale(0, 1, _HEIGHT - _BOTTOM, _TOP, False)
    most = max((one.n for one in bins), default=1)
    parts = [_axes(across, up, (0, 1), (0, 1), "stated confidence", "share right", False)]
    parts.append(f'<line class="mark" x1="{across(0)}" y1="{up(0)}" x2="{across(1)}" y2="{up(1)}"/>')
    for one in bins:
        x, radius = across(one.confidence), 2.5 + 5.5 * math.sqrt(one.n / most)
        parts.append(
            f'<line class="band" x1="{x:.1f}" x2="{x:.1f}" y1="{up(one.right_low):.1f}" y2="{up(one.right_high):.1f}"/>'
        )
        parts.append(f'<circle class="s0" cx="{x:.1f}" cy="{up(one.right):.1f}" r="{radius:.1f}"/>')
    title = "Confidence against truth"
    rows = [
        (f"{one.low:.2f} to {one.high:.2f}", f"{one.n:,}", f"{one.confidence:.3f}", f"{one.right:.3f}",
         f"{one.right_low:.3f} to {one.right_high:.3f}")
        for one in bins
    ]  # fmt: skip
    spoken = f"{len(bins)} bins; the largest holds {most:,} answers"
    drawing = _svg(title, "".join(parts), spoken)
    return _figure(title, [], drawing, _table(("said", "n", "mean said", "right", "95 % interval"), rows))


def dots(title: str, points: Points, across: str, up: str, ideal: str) -> Markup:
    """Points, MOST_DOTS at most, beside the line on which all would lie if they were right: "diagonal" or "zero"."""
    every = math.ceil(len(points) / MOST_DOTS) if points else 1
    shown = _finite(points[::every], False)
    if not shown:
        return Markup("<p>{}: no finite value.</p>").format(title)
    xs, ys = [x for x, _ in shown], [y for _, y in shown]
    is_diagonal = ideal == "diagonal"
    low_x, high_x = (min(xs + ys), max(xs + ys)) if is_diagonal else (min(xs), max(xs))
    low_y, high_y = (low_x, high_x) if is_diagonal else (min([*ys, 0.0]), max([*ys, 0.0]))
    x_of = _scale(low_x, high_x, _LEFT, _WIDTH - _RIGHT, False)
    y_of = _scale(low_y, high_y, _HEIGHT - _BOTTOM, _TOP, False)
    parts = [_axes(x_of, y_of, (low_x, high_x), (low_y, high_y), across, up, False)]
    parts += [f'<circle class="dot s0" cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="2"/>' for x, y in shown]
    ends = (low_y, high_y) if is_diagonal else (0.0, 0.0)
    parts.append(
        f'<line class="mark" x1="{x_of(low_x):.1f}" y1="{y_of(ends[0]):.1f}" '
        f'x2="{x_of(high_x):.1f}" y2="{y_of(ends[1]):.1f}"/>'
    )
    drawing = _svg(title, "".join(parts), f"{len(shown):,} points")
    return _figure(title, [], drawing, _table((across, "rows", f"{up}: lowest", "median", "highest"), _by_part(shown)))


def _by_part(points: Points, parts: int = 8) -> list[tuple[str, ...]]:
    """Stretches of as many points each, as rows of a table."""
    order = sorted(points)
    rows = []
    for start in range(0, len(order), math.ceil(len(order) / parts)):
        some = order[start : start + math.ceil(len(order) / parts)]
        ys = sorted(y for _, y in some)
        told = (f"{ys[0]:.4g}", f"{ys[len(ys) // 2]:.4g}", f"{ys[-1]:.4g}")
        rows.append((f"{some[0][0]:.4g} to {some[-1][0]:.4g}", f"{len(some):,}", *told))
    return rows


def thin(points: Points, most: int = 600) -> list[tuple[float, float]]:
    """At most about `most` points: of each stretch the lowest and the highest, in order, so that no spike is lost.

    >>> thin([(0, 1.0), (1, 5.0), (2, 1.0)])
    [(0, 1.0), (1, 5.0), (2, 1.0)]
    """
    if len(points) <= most:
        return list(points)
    stretch = math.ceil(len(points) / (most // 2 - 1))
    kept = [points[0]]
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        kept += sorted({min(part, key=_second), max(part, key=_second)})
    return [*kept, points[-1]]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between low and high.

    >>> ticks(0, 0.9)
    [0.0, 0.2, 0.4, 0.6, 0.8]
    """
    if not high > low:
        return [low]
    rough = (high - low) / about
    size = 10 ** math.floor(math.log10(rough))
    step = size * min((1, 2, 5, 10), key=lambda m: abs(m * size - rough))
    first = math.ceil(low / step - 1e-9)
    return [round(step * k, 12) + 0.0 for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _summary(ys: Sequence[float]) -> tuple[float, float, float, float]:
    return ys[0], min(ys), max(ys), ys[-1]


def _second(point: tuple[float, float]) -> float:
    return point[1]


def _finite(points: Points, log: bool) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if math.isfinite(y) and (y > 0 or not log)]


def _cell(count: int, total: int, right: bool, link: str | None) -> str:
    if not count:
        return '<td class="zero">·</td>'
    share = count / total
    # a single wrong answer among hundreds must still be seen, hence the square root and the floor
    shade = round((100 * share) if right else 18 + 52 * math.sqrt(share))
    words = f"{count:,}"
    inner = f'<a href="{escape(link)}">{words}</a>' if link else words
    kind = "right strong" if right and share > 0.5 else "right" if right else "wrong"
    return f'<td class="{kind}" style="--share:{shade}%">{inner}</td>'


def _scale(low: float, high: float, start: float, end: float, log: bool) -> Callable[[float], float]:
    if log:
        inner = _scale(math.log10(low), math.log10(high), start, end, False)
        return lambda value: inner(math.log10(value))
    room = (high - low) or 1.0
    return lambda value: start + (end - start) * (value - low) / room


def _axes(
    across: Callable[[float], float],
    up: Callable[[float], float],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    x_name: str,
    y_name: str,
    log: bool,
) -> str:
    parts = [
        f'<text class="dim" x="{_LEFT}" y="14">{escape(y_name)}</text>',
        f'<text class="dim" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}" text-anchor="end">{escape(x_name)}</text>',
    ]
    for tick in log_ticks(*y_range) if log else ticks(*y_range):
        y = up(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:.4g}</text>')
    for tick in ticks(*x_range):
        anchor = "end" if across(tick) > _WIDTH - _RIGHT - 20 else "middle"
        parts.append(f'<text x="{across(tick):.1f}" y="{_HEIGHT - 22}" text-anchor="{anchor}">{tick:,.7g}</text>')
    return "".join(parts)


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten within, or both ends where there are fewer than two."""
    powers = [10.0**k for k in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)]
    return powers if len(powers) > 1 else [low, high]


def _svg(title: str, inside: str, spoken: str) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}. {escape(spoken)}">'
        f"{inside}</svg>"
    )


def _spoken(shown: Mapping[str, Points]) -> str:
    """What a curve shows, for those who hear it."""
    return "; ".join(f"{name} from {points[0][1]:.3g} to {points[-1][1]:.3g}" for name, points in shown.items())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col" class="n">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f'<td class="n">{escape(c)}</td>' for c in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _figure(title: str, names: Sequence[str], drawing: str, numbers: str) -> Markup:
    keys = names if len(names) > 1 else ()  # the title tells of a single line
    key = "".join(f'<span class="key s{number % 4}">{escape(name)}</span>' for number, name in enumerate(keys))
    return Markup(
        f'<figure class="card"><figcaption><b>{escape(title)}</b> {key}</figcaption>{drawing}'
        f'<details><summary>Numbers</summary><div class="scroll">{numbers}</div></details></figure>'
    )
