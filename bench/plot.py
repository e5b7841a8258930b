"""One SVG for each figure of each scenario: bars for the peers, with the range over the rounds, and a
line at the goal of those that have one."""

import math
import os
import textwrap
from html import escape

from figures import FIGURES, drawn
from table import num

WIDTH, LEFT, RIGHT, BAR, GAP, BOTTOM = 720, 140, 180, 18, 8, 22
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px } .small { font-size: 11px; fill: #59636e }
.grid { stroke: #d1d9e0 } .bar { fill: #8c959f } .own { fill: #0969da } .floor { fill: #d4a72c }
.range { stroke: #1f2328; stroke-width: 1.5 }
.goal { stroke: #1a7f37; stroke-width: 2.5 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small { fill: #9198a1 } .grid { stroke: #3d444d } .bar { fill: #656c76 }
.own { fill: #4493f8 } .floor { fill: #bb8009 } .range { stroke: #f0f6fc }
.goal { stroke: #3fb950 } }
"""


def ticks(top):
    """A few round numbers from 0 to `top`."""
    power = 10.0 ** math.floor(math.log10(top))
    step = next(x * power for x in (0.2, 0.25, 0.5, 1, 2) if top / (x * power) < 6)
    return [round(step * i, 9) for i in range(int(top / step + 1e-9) + 1)]


def line(x1, y1, x2, y2, kind):
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def text(x, y, what, kind="", anchor="start"):
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(what)}</text>'
    )


def colour(peer):
    return "own" if "sockeye" in peer else "floor" if "floor" in peer else "bar"


def bars(title, figure, rows, foot):
    """The SVG. `rows`: (peer, median, lowest, highest, what to say, goal or None); of a median of None
    only that is said."""
    top = max([r[3] for r in rows if r[1] is not None] + [r[5] or 0 for r in rows], default=0) or 1
    what = figure.title[0].upper() + figure.title[1:]
    heads = textwrap.wrap(title, 84)
    under = textwrap.wrap(f"{what}, {figure.unit}; less is better. {foot}", 116)
    first = 18 * len(heads) + 15 * len(under) + 14  # where the first bar begins
    height = first + len(rows) * (BAR + GAP) + BOTTOM
    scale = (WIDTH - LEFT - RIGHT) / top
    floor = height - BOTTOM
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' width="{WIDTH}" height="{height}" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        *(text(8, 18 * (i + 1), x, "title") for i, x in enumerate(heads)),
        *(text(8, 18 * len(heads) + 15 * (i + 1), x, "small") for i, x in enumerate(under)),
    ]
    for x in ticks(top):
        at = LEFT + x * scale
        out.append(line(at, first - 4, at, floor, "grid"))
        out.append(text(at, floor + 15, num(x) if x >= 1000 else f"{x:g}", "small", "middle"))
    for i, row in enumerate(rows):
        out += bar(first + i * (BAR + GAP), scale, *row)
    out.append("</svg>\n")
    return "\n".join(out)


def bar(y, scale, peer, middle, low, high, words, goal):
    out = [text(LEFT - 8, y + 14, peer, anchor="end")]
    end = LEFT + max(0, middle or 0, high, goal or 0) * scale
    if middle is not None:
        size = f'width="{max(0, middle * scale):.1f}" height="{BAR}"'
        out.append(f'<rect class="{colour(peer)}" x="{LEFT}" y="{y}" {size}/>')
    if high > low:
        a, b, mid = LEFT + max(0, low) * scale, LEFT + high * scale, y + BAR / 2
        out.append(line(a, mid, b, mid, "range"))
        out += [line(x, mid - 4, x, mid + 4, "range") for x in (a, b)]
    if goal:
        at = LEFT + goal * scale
        out.append(line(at, y - 4, at, y + BAR + 4, "goal"))
    return [*out, text(end + 8, y + 14, words)]


def row(results, sc, key, peer):
    figure, mark, base = FIGURES[key], results.mark(sc, peer), results.base(sc)
    if results.refused(sc, peer):
        return peer, None, 0, 0, "refused: something was lost"
    v = results.values(sc, peer, key)
    if not v:
        return peer, None, 0, 0, "no figure"
    middle = results.get(sc, peer, key)
    words = f"{num(middle, figure.digits)} {figure.unit}"
    ratio = results.ratio(sc, peer, key, base)
    if peer != base and ratio is not None:
        words += f" ({ratio:.2f} x)"
    if mark == "‡":  # no bar: it would be as long as the run
        return peer, None, 0, 0, f"did not keep up: {words}"
    return peer, middle, min(v), max(v), words + mark


def rows(results, sc, key):
    return [row(results, sc, key, p) for p in results.names if (sc, p) in results.rows]


def write(results, scens, title, foot, directory, goals, only_goals=False):
    """Writes SCENARIO.svg, and SCENARIO-FIGURE.svg for the other figures of a scenario. `goals`: what at
    most is wanted, by scenario and figure, for each peer that has a goal there."""
    os.makedirs(directory, exist_ok=True)
    for sc in scens:
        for i, key in enumerate(drawn(sc)):
            if only_goals and (sc, key) not in goals:
                continue
            under = f"x: of {results.base(sc)}. {foot}"
            bars_of = [(*x, goals.get((sc, key), {}).get(x[0])) for x in rows(results, sc, key)]
            if goals.get((sc, key)):
                under += ". Green line: the goal"
            if any("†" in row[4] for row in bars_of):
                under += ". †: load generator at its limit"
            svg = bars(f"{sc}: {title(sc)}", FIGURES[key], bars_of, under)
            name = sc if i == 0 else f"{sc}-{key}"
            with open(os.path.join(directory, name + ".svg"), "w") as f:
                f.write(svg)
