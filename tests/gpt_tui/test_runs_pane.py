"""The Runs tab: reading the folder safely and cheaply, the table, the overlay, and what is done with a run."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

import gpt_tui
from core.config import load_config, to_yaml
from core.events import Eval, Event, Finished, RolledBack, Started, State, Step
from core.lock import FolderLock
from core.runs import list_runs
from core.text import cell_width
from gpt_tui import i18n
from gpt_tui.desk import Desk
from gpt_tui.messages import OpenInChat, StartTraining, TrainingEnded, TrainingStarted, WatchRun
from gpt_tui.panes.runs import RunsPane
from gpt_tui.screens.confirm import Confirm
from gpt_tui.session import Session
from gpt_tui.widgets.run_table import HEADS, RunTable, cells_of, count, widths_for
from gpt_tui.widgets.run_table_actions import ACTIONS
from gpt_tui.widgets.run_table_data import Curve, RunRow, RunsReader, folder_size, ordered, run_folders
from gpt_tui.widgets.run_table_plot import LossPlot
from gpt_tui.widgets.run_table_work import delete
from gpt_tui.zh import TEXTS

HERE = Path(gpt_tui.__file__).parent


def started(resumed: int = 0) -> Started:
    return Started("r", "runs/r", "teacher", resumed, "cpu", 2, "fp32", 3_480_000, 300, 40, None, {}, 1.0 + resumed)


def step(number: int, loss: float = 1.0) -> Step:
    return Step(number, loss, 1e-3, 1.0, 900.0, float(number), 5.0, 0.1, 10, 0.5)


def make_run(
    folder: Path, name: str, *events: Event, report: dict[str, Any] | None = None, age: float = 0.0, steps: int = 3
) -> Path:
    path = folder / name
    (path / "checkpoints" / "step-00000003").mkdir(parents=True)
    (path / "config.yaml").write_text(to_yaml(load_config("teacher").to_dict()), encoding="utf-8")
    (path / "tokenizer.json").write_text("{}", encoding="utf-8")
    given = events or (started(), *(step(n, 3.0 / n) for n in range(1, steps + 1)), Eval(steps, 0.5, 0.4, 2, True))
    write(path, *given, mode="wb")
    if report is not None:
        (path / "report.json").write_text(json.dumps(report), encoding="utf-8")
    for file in path.iterdir():
        os.utime(file, (1_700_000_000.0 - age, 1_700_000_000.0 - age))
    return path


def write(path: Path, *events: Event, mode: str = "ab") -> None:
    with open(path / "metrics.jsonl", mode) as file:
        for event in events:
            file.write(json.dumps(event.to_json()).encode() + b"\n")


REPORT = {
    "parameters": 3_480_000, "steps": 300, "best_loss": 0.1263, "train_seconds": 61.0,
    "exact": {"valid": {"exact_rate": 0.875}},
}  # fmt: skip


# -- reading ----------------------------------------------------------------------------------------------------------


def by_name(rows: list[RunRow]) -> dict[str, RunRow]:
    return {row.name: row for row in rows}


def test_a_finished_a_stopped_and_an_empty_run(tmp_path: Path) -> None:
    make_run(tmp_path, "done", report=REPORT)
    make_run(tmp_path, "half")
    empty = make_run(tmp_path, "bare")
    (empty / "metrics.jsonl").unlink()
    (empty / "checkpoints" / "step-00000003").rmdir()
    rows = by_name(RunsReader().look(tmp_path))
    done = rows["done"]
    assert (done.state, done.recipe, done.parameters, done.best_loss) == ("finished", "teacher", 3_480_000, 0.1263)
    assert (done.exact_rate, done.seconds, done.can_answer) == (0.875, 61.0, True)
    half = rows["half"]
    assert (half.state, half.parameters, half.steps, half.best_loss) == ("stopped", 3_480_000, 3, 0.4)
    assert rows["bare"].state == "empty"
    assert not rows["bare"].can_answer


def test_the_time_of_a_stopped_run_is_that_of_its_end(tmp_path: Path) -> None:
    """Not that of the last line of the log: 18 s where the training said 21."""
    make_run(tmp_path, "half", started(), step(3), Finished("user", 4, 21.0))
    row = by_name(RunsReader().look(tmp_path))["half"]
    assert (row.steps, row.seconds) == (4, 21.0)


def test_unchanged_runs_are_not_read_again(tmp_path: Path) -> None:
    for number in range(5):
        make_run(tmp_path, f"r{number}", report=REPORT)
    reader = RunsReader()
    first = reader.look(tmp_path)
    assert reader.read_runs == 5
    assert reader.look(tmp_path) == first
    assert reader.read_runs == 5
    write(tmp_path / "r3", step(4))
    reader.look(tmp_path)
    assert reader.read_runs == 6


def test_a_run_that_is_trained_is_read_on(tmp_path: Path) -> None:
    path = make_run(tmp_path, "r", report=REPORT)
    lock = FolderLock(path / "lock")
    lock.acquire()
    try:
        reader = RunsReader()
        write(path, started(3), step(4))
        row = reader.look(tmp_path)[0]
        assert (row.state, row.steps, row.best_loss) == ("running", 4, 0.4)
        write(path, step(5), State("paused", 5))
        row = reader.look(tmp_path)[0]
        assert (row.state, row.steps) == ("paused", 5)
    finally:
        lock.release()
    assert reader.look(tmp_path)[0].state == "finished"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("config.yaml", "model: 3\n"), ("config.yaml", "\x00"), ("config.yaml", "a: [\n"), ("report.json", "{]"),
    ],
)  # fmt: skip
def test_damage_is_shown_as_damage(tmp_path: Path, file: str, text: str) -> None:
    path = make_run(tmp_path, "r", report=REPORT)
    (path / file).write_text(text, encoding="utf-8")
    row = RunsReader().look(tmp_path)[0]
    assert row.state == "damaged"
    assert row.problem
    assert "\n" not in row.problem
    assert cells_of(row)["parameters"] == "–"


@pytest.mark.parametrize("exact", [[1], {"valid": 3}, {"valid": {"rate": 1}}, {"valid": {"exact_rate": "all"}}])
def test_a_report_without_a_rate_leaves_it_out(tmp_path: Path, exact: Any) -> None:
    make_run(tmp_path, "r", report={**REPORT, "exact": exact})
    row = RunsReader().look(tmp_path)[0]
    assert (row.state, row.parameters, row.exact_rate) == ("finished", 3_480_000, None)


def test_what_is_no_number_is_not_shown_as_one(tmp_path: Path) -> None:
    odd = {"parameters": "many", "steps": [1], "best_loss": 1e300, "train_seconds": True, "exact": {}}
    make_run(tmp_path, "r", report=odd)
    row = RunsReader().look(tmp_path)[0]
    assert (row.parameters, row.steps, row.best_loss, row.seconds, row.exact_rate) == (None, None, None, None, None)
    assert "–" in cells_of(row).values()


def test_a_name_that_a_terminal_would_obey(tmp_path: Path) -> None:
    make_run(tmp_path, "a\x1b[31m[red]\u202e")
    row = RunsReader().look(tmp_path)[0]
    assert row.name == "a\\x1b[31m[red]\\u202e"
    assert row.path.is_dir()


def test_a_folder_closed_to_us_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, "open")
    closed = make_run(tmp_path, "closed")
    is_file = Path.is_file

    def denied(path: Path) -> bool:
        if closed in path.parents:
            raise PermissionError(13, "Permission denied")  # what the system says to anybody but root
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", denied)
    rows = by_name(RunsReader().look(tmp_path))
    assert rows["open"].state == "stopped"
    assert rows["closed"].state == "damaged"
    assert "Permission denied" in rows["closed"].problem


def test_runs_come_as_core_lists_them(tmp_path: Path) -> None:
    for number in range(4):
        make_run(tmp_path, f"r{number}", age=(number * 7) % 4)
    (tmp_path / "no-run").mkdir()
    assert run_folders(tmp_path) == [run.path for run in list_runs(tmp_path)]


def test_no_folder_is_no_runs(tmp_path: Path) -> None:
    assert RunsReader().look(tmp_path / "none") == []


def test_curves_follow_resumes_and_rollbacks() -> None:
    curve = Curve()
    for event in (started(), *(step(n) for n in range(1, 6)), Eval(5, 2.0), started(3), step(4, 9.0)):
        curve.take(event)
    assert curve.train == [(1, 1.0), (2, 1.0), (3, 1.0), (4, 9.0)]
    assert curve.valid == []
    curve.take(RolledBack(4, 2, 0.5))
    assert [point[0] for point in curve.train] == [1, 2]
    curve.take(step(2, 5.0))  # a plot wants rising steps, whatever a file says
    assert curve.train == [(1, 1.0), (2, 5.0)]


def test_very_long_curves_are_thinned() -> None:
    curve = Curve()
    for number in range(45_000):
        curve.take(step(number))
    assert len(curve.train) <= 20_000
    assert curve.train[-1][0] == 44_999


def row(name: str, **values: Any) -> RunRow:
    return RunRow(Path("runs") / name, name, **{"state": "finished", **values})


def test_orders() -> None:
    rows = [row("b", best_loss=0.2, changed=1.0), row("a", changed=3.0), row("c", best_loss=0.1, changed=2.0)]
    assert [r.name for r in ordered(rows, "newest")] == ["a", "c", "b"]
    assert [r.name for r in ordered(rows, "best loss")] == ["c", "b", "a"]
    assert [r.name for r in ordered(rows, "name")] == ["a", "b", "c"]


def test_folder_size_counts_links_as_links(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"x" * 1000)
    (tmp_path / "in" / "out").symlink_to(tmp_path)
    assert 1000 <= folder_size(tmp_path / "in") < 2000


# -- the table --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [70, 78, 98, 118, 200])
def test_columns_fit(width: int) -> None:
    rows = [row("很长的名字" * 12, recipe="x" * 40, parameters=124_000_000, steps=123456, best_loss=1.2345,
                exact_rate=1.0, seconds=360_000.0, changed=1.0)]  # fmt: skip
    found = widths_for(rows, width)
    assert sum(found.values()) + len(found) <= width
    assert found["name"] >= 10
    assert {"name", "state", "recipe", "parameters", "best", "exact", "time"} <= set(found)
    assert set(found) <= set(HEADS)


def test_parameters_in_few_cells() -> None:
    numbers = (None, 999, 3_480_000, 124_439_808, 1_500_000_000)
    assert [count(n) for n in numbers] == ["–", "999", "3.48M", "124M", "1.5G"]


# -- the pane ---------------------------------------------------------------------------------------------------------


class Host(App[None]):
    CSS_PATH: ClassVar[list[str | Path]] = [HERE / "app.tcss", HERE / "panes" / "runs.tcss"]  # type: ignore[misc]

    def __init__(self, folder: Path) -> None:
        super().__init__()
        config = load_config("teacher")
        self.pane = RunsPane(Desk(config, config, folder, session=Session()))
        self.heard: list[Any] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.shown()

    def on_open_in_chat(self, message: OpenInChat) -> None:
        self.heard.append(("chat", message.run_path))

    def on_watch_run(self, message: WatchRun) -> None:
        self.heard.append(("watch", message.run_path))

    def on_start_training(self, message: StartTraining) -> None:
        self.heard.append(("train", message.resume))

    def action_tab(self, name: str) -> None:
        self.heard.append(("tab", name))

    @property
    def table(self) -> RunTable:
        return self.query_one(RunTable)

    @property
    def plot(self) -> LossPlot:
        return self.query_one(LossPlot)

    def line(self) -> str:
        return str(self.query_one("#runs-info", Static).content)

    def text(self) -> str:
        return "\n".join("".join(part.text for part in strip) for strip in self.screen._compositor.render_strips())


def drive(folder: Path, act: Callable[[Host, Pilot[None]], Awaitable[None]], size: tuple[int, int] = (80, 24)) -> None:
    async def go() -> None:
        app = Host(folder)
        async with app.run_test(size=size) as pilot:
            await settle(app, pilot)
            await act(app, pilot)

    asyncio.run(go())


async def settle(app: Host, pilot: Pilot[None]) -> None:
    """Wait for the threads and what they post."""
    for _ in range(200):
        await pilot.pause()
        if not app.pane._looking and not [w for w in app.workers if w.group == "runs" and not w.is_finished]:
            break
        await asyncio.sleep(0.01)
    await pilot.pause()


def said(app: Host) -> list[str]:
    return [note.message for note in app._notifications]


def four_runs(tmp_path: Path) -> Path:
    make_run(tmp_path, "done", report=REPORT, age=0)
    make_run(tmp_path, "half", age=10)
    make_run(tmp_path, "third", age=20)
    broken = make_run(tmp_path, "[red]broken[red]", age=30)
    (broken / "config.yaml").write_text("model: 3\n", encoding="utf-8")
    os.utime(broken / "config.yaml", (1.0, 1.0))
    return tmp_path


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_every_run_is_in_the_table(tmp_path: Path, size: tuple[int, int]) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        text = app.text()
        for word in ("✓ finished", "■ stopped", "✗ damaged", "[red]broken[red]", "3.48M", "0.1263", "87.5 %", "1:01"):
            assert word in text
        assert app.table.chosen is not None
        assert app.table.chosen.name == "done"
        assert "4 runs" in app.line()
        await pilot.press("down", "down", "down")
        await settle(app, pilot)
        assert app.line().startswith("✗ ")

    drive(four_runs(tmp_path), act, size)


def test_the_chosen_runs_losses_are_plotted(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        train, valid = app.plot._series
        assert [y for _, y in train.points] == [3.0, 1.5, 1.0]
        assert list(valid.points) == [(3, 0.5)]
        await pilot.press("down")
        await settle(app, pilot)
        assert app.plot._series[0].name.startswith("half")

    drive(four_runs(tmp_path), act)


def test_an_overlay_is_told_apart_by_letters(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("space", "space")
        await settle(app, pilot)
        assert [(s.name, s.marker) for s in app.plot._series] == [("done", "a"), ("half", "b")]
        assert "validation loss" in str(app.plot.border_title)
        assert "a done" in app.text()
        await pilot.press("t")
        assert "training loss" in str(app.plot.border_title)
        assert len(app.plot._series[1].points) == 3
        await pilot.press("up", "up", "up", "space")
        await settle(app, pilot)
        assert [(s.name, s.marker) for s in app.plot._series] == [("half", "a")]
        await pilot.press("u")
        await settle(app, pilot)
        assert app.pane._marked == []

    drive(four_runs(tmp_path), act)


def test_no_more_lines_than_can_be_told_apart(tmp_path: Path) -> None:
    for number in range(9):
        make_run(tmp_path, f"r{number}", age=number)

    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press(*["space"] * 9)
        await settle(app, pilot)
        assert len(app.plot._series) == 8
        assert "8 runs" in app.line()

    drive(tmp_path, act)


def test_a_refresh_leaves_the_cursor_on_its_run_and_paints_only_what_changed(tmp_path: Path) -> None:
    folder = four_runs(tmp_path)

    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("down")
        painted: list[tuple[Any, ...]] = []
        update, clear = app.table.update_cell, app.table.clear
        app.table.update_cell = lambda *a, **k: painted.append(a) or update(*a, **k)  # type: ignore[method-assign]
        app.table.clear = lambda *a, **k: painted.append(("clear",)) or clear(*a, **k)  # type: ignore[method-assign]
        app.pane.look()
        await settle(app, pilot)
        assert painted == []
        write(folder / "half", step(4, 0.7), Eval(4, 0.3, 0.3, 4, True))
        os.utime(folder / "half" / "metrics.jsonl", (1_699_999_991.0, 1_699_999_991.0))
        app.pane.look()
        await settle(app, pilot)
        assert {cell[1] for cell in painted} == {"best", "steps", "time"}
        make_run(folder, "newer", age=-100)
        app.pane.look()
        await settle(app, pilot)
        assert app.table.row_count == 5
        assert app.table.chosen is not None
        assert app.table.chosen.name == "half"
        assert app.table.cursor_row == 2

    drive(folder, act)


def test_another_language_leaves_the_cursor_on_its_run(tmp_path: Path) -> None:
    folder = four_runs(tmp_path)

    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("down", "down")
        assert app.table.chosen is not None
        name = app.table.chosen.name
        await app.pane.retranslate()
        await settle(app, pilot)
        assert app.table.cursor_row == 2
        assert app.table.chosen is not None
        assert app.table.chosen.name == name

    drive(folder, act)


def test_the_folder_is_read_on_a_slow_timer(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        looks: list[int] = []
        app.pane.look = lambda: looks.append(1)  # type: ignore[method-assign]
        for _ in range(12):
            app.pane.tick(app.pane.desk.snapshot())
        assert len(looks) == 2

    drive(four_runs(tmp_path), act)


def test_a_training_that_begins_or_ends_is_seen_at_once(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        make_run(tmp_path, "new", age=-5)
        app.pane.post_message(TrainingStarted(tmp_path / "new"))
        await settle(app, pilot)
        assert app.table.row_count == 5
        (tmp_path / "new" / "config.yaml").unlink()
        app.pane.post_message(TrainingEnded(tmp_path / "new"))
        await settle(app, pilot)
        assert app.table.row_count == 4

    drive(four_runs(tmp_path), act)


def test_the_app_s_own_training_is_watched_where_it_can_be_steered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        session = app.pane.desk.session
        monkeypatch.setattr(Session, "active", property(lambda _self: True))
        session._history.run_path = tmp_path / "done"
        await pilot.press("w")
        await settle(app, pilot)
        assert sorted(app.heard, key=str) == [("tab", "train"), ("watch", None)]

    drive(four_runs(tmp_path), act)


def test_orders_by_key_and_by_the_head_of_a_column(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("o")
        assert app.table._order[0].endswith("done")
        await pilot.press("o")
        assert app.table._order[0].endswith("[red]broken[red]")
        assert "name" in app.line()
        columns = list(app.table._widths)
        left = sum(app.table._widths[key] + 1 for key in columns[: columns.index("best")])
        await pilot.click(RunTable, offset=(left + 1, 0))
        await pilot.pause()
        assert app.pane._order == "best loss"

    drive(four_runs(tmp_path), act)


def test_open_in_chat_watch_and_resume(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("enter", "r")  # a finished run cannot be gone on with
        await pilot.press("down", "c", "w", "r")
        await pilot.press("down", "down", "c")  # a damaged one cannot answer
        await settle(app, pilot)
        assert app.heard == [
            ("chat", tmp_path / "done"), ("chat", tmp_path / "half"), ("watch", tmp_path / "half"),
            ("train", tmp_path / "half"),
        ]  # fmt: skip

    drive(four_runs(tmp_path), act)


def test_a_run_that_has_no_checkpoint_yet_can_be_gone_on_with(tmp_path: Path) -> None:
    """Killed before its first: it begins anew, as on the command line. The key did nothing."""
    run = make_run(tmp_path, "bare")
    (run / "checkpoints" / "step-00000003").rmdir()

    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("r")
        await settle(app, pilot)
        assert app.heard == [("train", run)]

    drive(tmp_path, act)


def test_delete_asks_and_the_harmless_answer_has_the_focus(tmp_path: Path) -> None:
    folder = four_runs(tmp_path)

    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("d")
        await pilot.pause()
        assert isinstance(app.screen, Confirm)
        assert "Delete the run done?" in app.text()
        await pilot.press("enter")
        await settle(app, pilot)
        assert (folder / "done").is_dir()
        await pilot.press("d", "escape")
        await settle(app, pilot)
        assert (folder / "done").is_dir()
        await pilot.press("d", "y")
        await settle(app, pilot)
        assert not (folder / "done").exists()
        assert said(app) == ["deleted: done"]
        assert app.table.row_count == 3
        await pilot.press("delete", "right", "enter")
        await settle(app, pilot)
        assert not (folder / "half").exists()

    drive(folder, act)


def test_a_run_that_is_trained_is_not_deleted(tmp_path: Path) -> None:
    folder = four_runs(tmp_path)
    lock = FolderLock(folder / "done" / "lock")

    async def act(app: Host, pilot: Pilot[None]) -> None:
        lock.acquire()
        write(folder / "done", step(4))
        app.pane.look()
        await settle(app, pilot)
        await pilot.press("home")
        chosen = app.table.chosen
        assert chosen is not None
        assert chosen.state == "running"
        await pilot.press("d")
        await pilot.pause()
        assert not isinstance(app.screen, Confirm)
        assert "stop it first" in app.line()
        # and once more where it is done: it may have begun meanwhile
        app.pane.post_message(RunsPane.Deleted(*delete(folder / "done")))
        await settle(app, pilot)
        assert said(app) == ["done: a training is writing to it; stop it first"]
        assert (folder / "done").is_dir()

    try:
        drive(folder, act)
    finally:
        lock.release()


def test_maximized_plot_with_a_cursor(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("m")
        await pilot.pause()
        assert not app.table.display or app.table.size.height == 0
        await pilot.press("left", "left", "l", "e", "plus", "minus")
        assert app.plot.cursor is not None
        assert app.plot.log_y
        await pilot.press("escape", "escape", "escape")
        assert app.plot.cursor is None
        assert app.table.has_focus

    drive(four_runs(tmp_path), act)


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        assert "train one in the first tab" in app.line()
        await pilot.press("enter", "w", "d", "space", "r", "t", "o", "u", "left")
        await settle(app, pilot)
        assert app.heard == []

    drive(tmp_path / "none", act)


def test_the_other_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "_language", "en")

    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("space", "t")
        monkeypatch.setattr(i18n, "_language", "zh")
        await app.pane.retranslate()
        app.pane.shown()
        await settle(app, pilot)
        text = app.text()
        assert "已完成" in text.replace(" ", "")
        assert "训练损失" in str(app.plot.border_title)
        for line in text.splitlines():
            assert sum(map(cell_width, line)) <= 80

    drive(four_runs(tmp_path), act)


def test_another_language_while_the_folder_is_read(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        for _ in range(8):
            app.pane.look()
            await asyncio.gather(app.pane.retranslate(), pilot.pause())
        await settle(app, pilot)
        assert app.table.row_count == 4

    drive(four_runs(tmp_path), act)


def test_a_fault_of_the_reading_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise ZeroDivisionError("oh")

    async def act(app: Host, pilot: Pilot[None]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("gpt_tui.panes.runs.look", broken)
            app.pane.look()
            await settle(app, pilot)
        assert "ZeroDivisionError: oh" in app.line()
        assert app.table.row_count == 4
        await pilot.press("f5")
        await settle(app, pilot)
        assert "4 runs" in app.line()

    drive(four_runs(tmp_path), act)


def test_every_action_has_its_method() -> None:
    for action in ACTIONS:
        assert hasattr(RunsPane, f"action_{action.id.partition('(')[0]}")
        assert action.label in TEXTS
        assert action.help in TEXTS
