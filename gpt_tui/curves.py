"""Points to lines worth drawing: smoothing, thinning, gaps, axes. Plain numbers in, plain numbers out."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line of a plot."""

    name: str
    """What the legend says; shown as plain text."""
    points: Sequence[Point]
    """By rising x; a y that is not finite is a gap."""
    style: str
    """A Textual style, best a theme variable such as ``$success``."""
    marker: str = ""
    """One character per point; '' draws a line of braille dots."""
    smooth: bool = False
    """Draw the moving average, with the points themselves pale behind it."""


def ema(points: Sequence[Point], weight: float) -> list[Point]:
    """Exponential moving average of y, free of the start's pull towards 0 (as Adam corrects its means).

    ``weight`` in [0, 1) is how much of the past is kept per point. Gaps stay gaps and are not averaged in.
    """
    if weight <= 0.0:
        return list(points)
    smoothed: list[Point] = []
    mean, norm = 0.0, 0.0
    for x, y in points:
        if math.isfinite(y):
            mean = weight * mean + (1.0 - weight) * y
            norm = weight * norm + (1.0 - weight)
            smoothed.append((x, mean / norm))
        else:
            smoothed.append((x, math.nan))
    return smoothed


def within(points: Sequence[Point], low: float, high: float) -> Sequence[Point]:
    """The points with low <= x <= high, and one more on either side, so that lines run to the edge."""
    begin = max(0, bisect.bisect_left(points, low, key=lambda p: p[0]) - 1)
    end = bisect.bisect_right(points, high, key=lambda p: p[0]) + 1
    return points[begin:end]


def runs_of_finite(points: Sequence[Point]) -> Iterator[list[Point]]:
    """The stretches between gaps."""
    stretch: list[Point] = []
    for point in points:
        if math.isfinite(point[1]):
            stretch.append(point)
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def decimate(points: Sequence[Point], low: float, high: float, columns: int) -> list[Point]:
    """At most two points per column, the lowest and the highest, in their order: no spike gets lost.

    A gap stays as one point that is not finite.
    """
    if len(points) <= 2 * columns or high <= low or columns < 1:
        return list(points)
    kept: list[Point] = []
    bucket: list[Point] = []
    current = -1
    for point in points:
        column = min(columns - 1, max(0, int((point[0] - low) / (high - low) * columns)))
        if column != current or not math.isfinite(point[1]):
            kept += _extremes(bucket)
            bucket, current = [], column
        if math.isfinite(point[1]):
            bucket.append(point)
        elif not kept or math.isfinite(kept[-1][1]):
            kept.append(point)
    return kept + _extremes(bucket)


def _extremes(bucket: list[Point]) -> list[Point]:
    if len(bucket) < 2:
        return bucket
    lowest = min(bucket, key=lambda p: p[1])
    highest = max(bucket, key=lambda p: p[1])
    return sorted({lowest, highest})


def to_log(points: Sequence[Point]) -> list[Point]:
    """log10 of y; what has none is a gap."""
    return [(x, math.log10(y) if math.isfinite(y) and y > 0.0 else math.nan) for x, y in points]


def nearest(points: Sequence[Point], x: float) -> Point | None:
    """The point closest to ``x``, finite or not."""
    if not points:
        return None
    at = bisect.bisect_left(points, x, key=lambda p: p[0])
    around = points[max(0, at - 1) : at + 1]
    return min(around, key=lambda p: abs(p[0] - x))


def span_of(values: Sequence[float]) -> tuple[float, float] | None:
    """Lowest and highest with a little room, never equal; None where nothing is finite."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    low, high = min(finite), max(finite)
    room = 0.04 * (high - low) if high > low else max(abs(high) * 0.05, 1e-9)
    return low - room, high + room


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers in low..high, at most ``most`` of them: multiples of 1, 2 or 5 times a power of ten."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low or most < 1:
        return []
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    for factor in (1, 2, 5, 10, 20):
        step = factor * power
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [n * step for n in range(first, last + 1)]
    return []


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """The same for an axis of log10 values: 1, 2, 5 in each power of ten, or the powers alone."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return []
    powers = range(math.floor(low), math.floor(high) + 1)
    for factors in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        found = [t for n in powers for f in factors if low <= (t := n + math.log10(f)) <= high]
        if 2 <= len(found) <= most:
            return found
    return ticks(low, high, most)


def brief(value: float) -> str:
    """A number in few characters: ``0.0005``, ``2.5``, ``12k``, ``3e-05``."""
    size = abs(value)
    if not math.isfinite(value):
        return str(value)
    if size < 1e-12:
        return "0"
    if size >= 1e15:
        return f"{value:.0e}"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            return f"{value / (1e3 if unit == 'k' else limit):.3g}{unit}"
    return f"{value:.4g}" if size >= 1e-3 else f"{value:.2g}"
