"""One SVG for each figure of each scenario: bars for the peers, with the range over the rounds."""

import os
import textwrap
from html import escape

from figures import FIGURES, drawn
from table import num

WIDTH, LEFT, RIGHT, BAR, GAP, TOP, BOTTOM = 720, 150, 120, 18, 8, 46, 28
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px } .small { font-size: 11px; fill: #59636e }
.grid { stroke: #d1d9e0 } .bar { fill: #8c959f } .own { fill: #0969da } .floor { fill: #d4a72c }
.range { stroke: #1f2328; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small { fill: #9198a1 } .grid { stroke: #3d444d } .bar { fill: #656c76 }
.own { fill: #4493f8 } .floor { fill: #bb8009 } .range { stroke: #f0f6fc } }
"""


def ticks(top):
    """A few round numbers from 0 to `top`."""
    step = 10 ** (len(str(int(top))) - 1) if top >= 1 else 0.1
    while step * 4 < top:
        step *= 2 if step * 2 * 4 >= top else 2.5 if step * 2.5 * 4 >= top else 5
    while step > top:
        step /= 10
    n = int(top / step)
    return [step * i for i in range(n + 1)]


def line(x1, y1, x2, y2, kind):
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def text(x, y, what, kind="", anchor="start"):
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(what)}</text>'


def colour(peer):
    return "own" if "sockeye" in peer else "floor" if "floor" in peer else "bar"


def bars(title, figure, rows, foot):
    """The SVG. `rows`: (peer, median, lowest, highest, mark); a median of None has its mark only."""
    top = max([r[3] for r in rows if r[1] is not None], default=0) or 1
    heads = textwrap.wrap(title, 96)
    first = TOP + 18 * (len(heads) - 1)  # where the first bar begins
    height = first + len(rows) * (BAR + GAP) + BOTTOM
    scale = (WIDTH - LEFT - RIGHT) / top
    floor = height - BOTTOM
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' width="{WIDTH}" height="{height}" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        *(text(8, 18 * (i + 1), head, "title") for i, head in enumerate(heads)),
        text(8, first - 11, f"{figure.title}, {figure.unit}; less is better. {foot}", "small"),
    ]
    for x in ticks(top):
        at = LEFT + x * scale
        out.append(line(at, first - 4, at, floor, "grid"))
        out.append(text(at, floor + 15, f"{x:g}", "small", "middle"))
    for i, (peer, middle, low, high, mark) in enumerate(rows):
        y = first + i * (BAR + GAP)
        out.append(text(LEFT - 8, y + 14, peer, anchor="end"))
        if middle is None:
            out.append(text(LEFT + 6, y + 14, mark, "small"))
            continue
        width = max(0, middle * scale)
        out.append(
            f'<rect class="{colour(peer)}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}"/>'
        )
        if high > low:
            a, b, mid = LEFT + max(0, low) * scale, LEFT + high * scale, y + BAR / 2
            out += [line(a, mid, b, mid, "range")]
            out += [line(x, mid - 4, x, mid + 4, "range") for x in (a, b)]
        value = f"{num(middle, figure.digits)} {figure.unit}{mark}"
        out.append(text(LEFT + max(middle, high) * scale + 8, y + 14, value))
    out.append("</svg>\n")
    return "\n".join(out)


def rows(results, sc, key):
    out = []
    for peer in results.names:
        v = results.values(sc, peer, key)
        if v:
            middle = results.get(sc, peer, key)
            out.append((peer, middle, min(v), max(v), results.mark(sc, peer)))
        elif (sc, peer) in results.rows:
            refused = results.refused(sc, peer)
            out.append((peer, None, 0, 0, "refused: something was lost" if refused else "no figure"))
    return out


def write(results, scens, title, foot, directory, only=None):
    """Writes SCENARIO.svg, and SCENARIO-FIGURE.svg for the other figures of a scenario."""
    os.makedirs(directory, exist_ok=True)
    for sc in scens:
        for i, key in enumerate(drawn(sc)):
            if only is not None and (sc, key) not in only:
                continue
            name = sc if i == 0 else f"{sc}-{key}"
            svg = bars(f"{sc}: {title(sc)}", FIGURES[key], rows(results, sc, key), foot)
            with open(os.path.join(directory, name + ".svg"), "w") as f:
                f.write(svg)
