import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.pilot import Pilot

from core.text import cell_width
from gpt_tui.curves import Series
from gpt_tui.widgets.canvas import draw
from gpt_tui.widgets.plot import Plot


class PlotApp(App[None]):
    CSS = "Plot { height: 12; width: 60; border-top: solid red; }"

    def __init__(self, theme: str = "textual-dark") -> None:
        super().__init__()
        self.theme = theme
        self.plot = Plot("loss")

    def compose(self) -> ComposeResult:
        yield self.plot


def play(scene: Callable[[Plot, Pilot[Any]], Awaitable[None]], theme: str = "textual-dark") -> None:
    async def run() -> None:
        app = PlotApp(theme)
        async with app.run_test(size=(60, 14)) as pilot:
            await scene(app.plot, pilot)

    asyncio.run(run())


def curve(count: int) -> list[tuple[float, float]]:
    return [(float(i), 5.0 * math.exp(-i / 40) + 1.0) for i in range(1, count + 1)]


def title_of(plot: Plot) -> str:
    return Content.from_markup(plot.border_title or "").plain


def rows_of(plot: Plot) -> list[str]:
    return plot.render().plain.split("\n")


def test_draw_gives_cells_with_the_number_of_their_series() -> None:
    rows = draw([([(0.0, 0.0), (10.0, 1.0)], ""), ([(5.0, 0.5)], "o")], 20, 5, (0.0, 10.0), (0.0, 1.0))
    assert [len(row) for row in rows] == [20] * 5
    assert {number for row in rows for _char, number in row} == {0, 1, 2}
    assert ("o", 2) in rows[2]
    assert rows[4][0][1] == 1
    assert rows[0][-1][1] == 1


def test_a_canvas_larger_than_80_by_24_is_drawn_to_its_edges() -> None:
    rows = draw([([(0.0, 0.0), (10.0, 1.0)], "")], 150, 50, (0.0, 10.0), (0.0, 1.0))
    assert [len(row) for row in rows] == [150] * 50
    assert (rows[0][-1][1], rows[-1][0][1]) == (1, 1)


def test_nothing_to_draw_is_blank() -> None:
    assert draw([], 5, 2, (0.0, 1.0), (0.0, 1.0)) == [[(" ", 0)] * 5] * 2
    assert draw([([(0.0, math.nan)], "")], 5, 2, (0.0, 1.0), (0.0, 1.0)) == [[(" ", 0)] * 5] * 2


def test_axes_legend_and_size() -> None:
    async def scene(plot: Plot, pilot: Pilot[Any]) -> None:
        plot.smoothing = 0.6
        plot.show(
            [
                Series("train", curve(200), "$success", smooth=True),
                Series("评估[/b]\x1b", [(100.0, 2.0)], "$warning", "o"),
            ],
            1,
        )
        await pilot.pause()
        rows = rows_of(plot)
        assert len(rows) == plot.size.height
        assert all(sum(map(cell_width, row)) <= plot.size.width for row in rows)
        assert "┤" in rows[0] + rows[1]
        assert "100" in rows[-1]
        assert "200" in rows[-1]
        title = title_of(plot)
        assert "loss" in title
        assert "train" in title
        assert "o 评估[/b]\\x1b" in title
        assert "EMA 0.6" in title

    play(scene)


def test_what_plotext_cannot_do_does_not_reach_it() -> None:
    nasty = [(1.0, math.nan), (2.0, math.inf), (3.0, -math.inf), (4.0, 0.0), (5.0, -1.0), (6.0, 1e300), (7.0, 2.0)]

    async def scene(plot: Plot, pilot: Pilot[Any]) -> None:
        for points in ([], nasty[:1], nasty[:3], nasty, [(1.0, 1.0)], [(float(i), 0.0) for i in range(50)]):
            for log_y in (False, True):
                plot.show([Series("x", points, "$success", smooth=True)], (len(points), log_y))
                plot.set_view(log_y=log_y, smoothing=0.9 if log_y else 0.0)
                await pilot.pause()
                assert len(rows_of(plot)) == plot.size.height

    play(scene)


def test_log_axis_has_round_labels() -> None:
    async def scene(plot: Plot, pilot: Pilot[Any]) -> None:
        plot.show([Series("x", [(1.0, 0.01), (2.0, 10.0)], "$success")], 1)
        plot.set_view(log_y=True)
        await pilot.pause()
        labels = {row.split("┤")[0].strip() for row in rows_of(plot) if "┤" in row}
        assert {"0.1", "1", "10"} <= labels

    play(scene)


def test_a_gap_is_seen() -> None:
    points = [(float(i), math.nan if 40 <= i <= 60 else 1.0) for i in range(1, 101)]

    async def scene(plot: Plot, pilot: Pilot[Any]) -> None:
        plot.show([Series("x", points, "$success")], 1)
        await pilot.pause()
        line = next(row for row in rows_of(plot) if "⠒" in row or "⠤" in row or "⣀" in row or "⠉" in row)
        body = line.split("│")[-1].split("┤")[-1]
        assert " " * 8 in body.strip()

    play(scene)


def test_drawn_only_when_something_has_changed() -> None:
    async def scene(plot: Plot, pilot: Pilot[Any]) -> None:
        calls = 0
        rows = plot._rows

        def counting(width: int, height: int) -> Any:
            nonlocal calls
            calls += 1
            return rows(width, height)

        plot._rows = counting  # type: ignore[method-assign]
        series = [Series("x", curve(100), "$success", smooth=True)]
        plot.show(series, 1)
        await pilot.pause()
        drawn = calls
        assert drawn > 0
        for _again in range(3):
            plot.show(series, 1)
            plot.set_view(smoothing=0.0)
            plot.refresh()
            await pilot.pause()
        plot.set_view(cursor=50.0)
        await pilot.pause()
        assert calls == drawn, "neither the same version nor the cursor costs a new picture"
        plot.set_view(smoothing=0.9)
        await pilot.pause()
        assert calls == drawn + 1

    play(scene)


def test_cursor_reads_out_values() -> None:
    async def scene(plot: Plot, pilot: Pilot[Any]) -> None:
        plot.show(
            [Series("train", curve(100), "$success"), Series("eval", [(50.0, 2.75), (100.0, 2.25)], "$warning", "o")], 1
        )
        await pilot.pause()
        plot.move_cursor(-1)
        assert plot.cursor == 100.0
        title = title_of(plot)
        assert "@100" in title
        assert "eval 2.25" in title
        plot.move_cursor(-3)
        assert plot.cursor is not None
        assert plot.cursor < 100.0
        await pilot.pause()
        assert sum("│" in row[5:] for row in rows_of(plot)) > 3
        await pilot.click(Plot, offset=(30, 5))
        assert 40.0 < plot.cursor < 60.0
        for _step in range(300):
            plot.move_cursor(-1)
        assert plot.cursor == 1.0

    play(scene)


def test_zoom_recent_and_back() -> None:
    async def scene(plot: Plot, pilot: Pilot[Any]) -> None:
        plot.show([Series("x", curve(1000), "$success")], 1)
        await pilot.pause()
        assert plot.window() == (1.0, 1000.0)
        plot.set_view(recent=True)
        assert plot.window() == (pytest.approx(800.2), 1000.0)
        plot.set_view(recent=False, cursor=500.0)
        plot.zoom_by(0.1)
        low, high = plot.window() or (0.0, 0.0)
        assert high - low == pytest.approx(99.9)
        assert low < 500.0 < high
        for _more in range(30):
            plot.zoom_by(0.5)
        low, high = plot.window() or (0.0, 0.0)
        assert high - low == pytest.approx(4.0)
        for _more in range(30):
            plot.zoom_by(2.0)
        assert plot.window() == (1.0, 1000.0)
        assert plot.zoom is None

    play(scene)


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
def test_ansi_themes_draw_in_their_own_colours(theme: str) -> None:
    """plotext alone would draw black on black."""

    async def scene(plot: Plot, pilot: Pilot[Any]) -> None:
        plot.show([Series("x", curve(100), "$success"), Series("y", [(50.0, 3.0)], "$warning", "o")], 1)
        await pilot.pause()
        colours = {
            segment.style.color.name
            for y in range(2, 10)
            for segment in plot.render_line(y)
            if segment.style is not None and segment.style.color is not None and segment.text.strip("⠀ │┤0123456789.")
        }
        assert colours
        assert not any("black" in colour for colour in colours), colours

    play(scene, theme)


def test_series_differ_without_colour() -> None:
    async def scene(plot: Plot, pilot: Pilot[Any]) -> None:
        plot.show(
            [
                Series("a", curve(100), "$success"),
                Series("b", [(20.0, 4.0), (80.0, 4.0)], "$warning", "o"),
                Series("c", [(20.0, 3.0), (80.0, 3.0)], "$error", "x"),
            ],
            1,
        )
        await pilot.pause()
        text = "".join(rows_of(plot))
        assert "o" in text
        assert "x" in text
        title = title_of(plot)
        assert "o b" in title
        assert "x c" in title

    play(scene)


def test_of_twenty_thousand_points_two_per_column_are_drawn() -> None:
    async def scene(plot: Plot, pilot: Pilot[Any]) -> None:
        points = [(float(i), math.sin(i / 500.0)) for i in range(20_000)]
        plot.show([Series("x", points, "$success")], 1)
        await pilot.pause()
        drawn = plot._lines((0.0, 19_999.0), 60)
        assert 60 < sum(len(line) for line, _marker, _style in drawn) <= 2 * 60 + 2  # and the two ends
        assert "".join(rows_of(plot)).strip()

    play(scene)
