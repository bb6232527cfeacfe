import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_tui.curves import (
    brief,
    decimate,
    ema,
    log_ticks,
    nearest,
    runs_of_finite,
    span_of,
    ticks,
    to_log,
    within,
)  # fmt: skip
from gpt_tui.fold import fold


def test_ema_begins_at_the_first_value_and_passes_over_gaps() -> None:
    smoothed = ema([(1, 4.0), (2, math.nan), (3, 4.0), (4, 8.0)], 0.5)
    assert smoothed[0] == (1, 4.0)
    assert math.isnan(smoothed[1][1])
    assert smoothed[2][1] == pytest.approx(4.0)
    assert 4.0 < smoothed[3][1] < 8.0
    assert ema([(1, 4.0)], 0.0) == [(1, 4.0)]


def test_decimate_keeps_spikes_gaps_and_order() -> None:
    points = [(float(i), math.sin(i / 50)) for i in range(10_000)]
    points[7777] = (7777.0, 99.0)
    points[4321] = (4321.0, math.nan)
    kept = decimate(points, 0.0, 9999.0, 80)
    assert len(kept) <= 2 * 80 + 4
    assert (7777.0, 99.0) in kept
    assert any(math.isnan(y) for _x, y in kept)
    assert [x for x, _y in kept] == sorted(x for x, _y in kept)
    assert decimate(points[:100], 0.0, 99.0, 80) == points[:100]


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=600), st.integers(1, 60))
def test_decimate_never_loses_the_extremes(values: list[float], columns: int) -> None:
    points = [(float(i), value) for i, value in enumerate(values)]
    kept = [y for _x, y in decimate(points, 0.0, float(max(1, len(values) - 1)), columns)]
    assert (min(kept), max(kept)) == (min(values), max(values))


def test_stretches_between_gaps() -> None:
    points = [(1, math.nan), (2, 1.0), (3, 2.0), (4, math.inf), (5, 3.0)]
    assert list(runs_of_finite(points)) == [[(2, 1.0), (3, 2.0)], [(5, 3.0)]]


def test_log_of_what_has_none_is_a_gap() -> None:
    assert to_log([(1, 100.0)]) == [(1, 2.0)]
    assert all(math.isnan(y) for _x, y in to_log([(1, 0.0), (2, -1.0), (3, math.inf), (4, math.nan)]))


def test_within_takes_one_neighbour_on_either_side() -> None:
    points = [(float(i), 0.0) for i in range(10)]
    assert [x for x, _y in within(points, 3.5, 5.5)] == [3.0, 4.0, 5.0, 6.0]
    assert list(within(points, 100.0, 200.0)) == [points[-1]]


def test_nearest() -> None:
    assert nearest([], 1.0) is None
    assert nearest([(1.0, 5.0), (4.0, 6.0)], 3.0) == (4.0, 6.0)
    assert nearest([(1.0, 5.0)], 99.0) == (1.0, 5.0)


def test_span_never_collapses() -> None:
    assert span_of([math.nan, math.inf]) is None
    low, high = span_of([3.0]) or (0.0, 0.0)
    assert low < 3.0 < high
    low, high = span_of([0.0]) or (0.0, 0.0)
    assert low < 0.0 < high


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12), st.integers(1, 12))
def test_ticks_are_few_and_inside(low: float, width: float, most: int) -> None:
    high = low + width
    for found in (ticks(low, high, most), log_ticks(low / 1e12, low / 1e12 + 3, most)):
        assert len(found) <= most
    slack = 1e-6 * max(abs(low), abs(high), width)
    assert all(low - slack <= tick <= high + slack for tick in ticks(low, high, most))


def test_ticks_for_people() -> None:
    assert ticks(0.2, 6.3, 4) == [2.0, 4.0, 6.0]
    assert [brief(10**t) for t in log_ticks(-0.5, 0.9, 4)] == ["0.5", "1", "2", "5"]
    assert [brief(v) for v in (0.0005, 2.5, 12_000, 3e-5, 0.0, 1_500_000, -0.25)] == [
        "0.0005", "2.5", "12k", "3e-05", "0", "1.5M", "-0.25",
    ]  # fmt: skip


def test_fold_by_cells() -> None:
    assert fold("注意力机制，通过", 10) == ["注意力机", "制，通过"]
    assert fold("the quick brown fox", 9) == ["the quick", "brown fox"]
    assert fold("", 5) == [""]
    assert fold("abc", 10, first=2) == ["ab", "c"]


@given(st.text("ab 注意，。（）x", max_size=60), st.integers(4, 30))
def test_fold_loses_nothing_but_blanks(text: str, cells: int) -> None:
    from core.text import cell_width

    lines = fold(text, cells)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(sum(map(cell_width, line)) <= cells for line in lines)
