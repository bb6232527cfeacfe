"""Lines as characters. This is the only module that knows plotext, and only its canvas is used.

plotext 5 keeps a global theme, raises on infinities and on the log of 0, and counts characters where it should
count cells; so it gets finite numbers and draws without colours of its own, and the axes are made by ``plot``. It
takes 4 ms for 200 points and 49 ms for 5,000.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import plotext

from ..curves import Point, runs_of_finite

_CODES = re.compile(r"\x1b\[([0-9;]*)m")
Interval = tuple[float, float]
Cell = tuple[str, int]
"""A character and the number of its series, counted from 1; 0 for none."""


def draw(
    lines: Sequence[tuple[Sequence[Point], str]], width: int, height: int, x: Interval, y: Interval
) -> list[list[Cell]]:
    """Rows of cells, the top one first, with lines of (points, marker) in them; '' is a line of braille dots."""
    figure = plotext
    figure.clear_figure()
    figure.theme("clear")
    figure.limit_size(False, False)  # or it stops at the size that it takes the terminal for: 80×24 in the app
    figure.plot_size(width, height)
    figure.frame(False)
    figure.xlim(*x)
    figure.ylim(*y)
    figure.xticks([])
    figure.yticks([])
    drawn = False
    for number, (points, marker) in enumerate(lines, 1):
        for stretch in runs_of_finite(points):
            xs, ys = [p[0] for p in stretch], [p[1] for p in stretch]
            if marker or len(stretch) == 1:
                figure.scatter(xs, ys, marker=marker or "braille", color=number)
            else:
                figure.plot(xs, ys, marker="braille", color=number)
            drawn = True
    if not drawn:
        return [[(" ", 0)] * width for _row in range(height)]
    return [_cells(line, width) for line in figure.build().split("\n")[:height]]


def _cells(line: str, width: int) -> list[Cell]:
    cells: list[Cell] = []
    colour, at = 0, 0
    for code in _CODES.finditer(line):
        cells += [(char, colour) for char in line[at : code.start()]]
        numbers = code.group(1).split(";")
        colour = int(numbers[2]) if numbers[:2] == ["38", "5"] else 0
        at = code.end()
    cells += [(char, colour) for char in line[at:]]
    cells = cells[:width]
    return cells + [(" ", 0)] * (width - len(cells))
