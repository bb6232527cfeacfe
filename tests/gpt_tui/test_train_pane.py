import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Log, Static

from core.errors import DataError
from core.events import Finished, Saved, State
from core.lock import FolderLock
from core.text import cell_width
from gpt_tui.app import GptApp
from gpt_tui.desk import Desk
from gpt_tui.messages import WatchRun
from gpt_tui.panes.train import ACTIONS, TrainPane
from gpt_tui.widgets.answers import Answers
from gpt_tui.widgets.keybar import KeyBar
from gpt_tui.widgets.plot import Plot

from .app_desk import Scene, begin, make_desk, screen_text, until
from .app_desk import play as play_app
from .fake_engine import FakeEngine


def play(desk: Desk, scene: Scene, size: tuple[int, int] = (80, 24), tabs: Sequence[str] = ("train",)) -> GptApp:
    return play_app(desk, scene, size, tabs)


def text_of(app: GptApp, selector: str) -> str:
    return str(app.main.query_one(selector, Static).content)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (72, 20)])
def test_everything_is_on_the_screen(size: tuple[int, int], tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        begin(app.desk)
        await until(pilot, lambda: app.desk.session.snapshot().step > 40)
        app.desk.session.save_now()
        await until(pilot, lambda: app.desk.session.snapshot().saved)
        app.tick()
        await pilot.pause()
        text = screen_text(app)
        for word in ("running", "run", "elapsed", "ETA", "loss", "eval loss", "best", "lr", "grad norm", "tokens/s",
                     "memory", "saved", " ago @ ", "live answers", "1 of 2 right", "✓", "✗", "log", "learning rate",
                     "█", "░", "/400"):  # fmt: skip
            assert word in text, word
        rows = text.split("\n")
        assert len(rows) == size[1]
        assert all(sum(map(cell_width, row)) <= size[0] for row in rows)
        for plot in app.main.panes["train"].query(Plot):
            assert plot.size.height >= 2
            assert plot.size.width >= 12
        assert "eval at step" in "\n".join(app.main.query_one(Log).lines)

    play(make_desk(tmp_path, FakeEngine(steps=400, seconds_per_step=0.01)), scene, size)


def test_actions_are_greyed_when_impossible(tmp_path: Path) -> None:
    def possible(app: GptApp) -> dict[str, bool]:
        pane = app.main.panes["train"]
        return {action: bool(pane.check_action(action, ())) for action in ("start", "pause", "resume", "stop", "save")}

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        session = app.desk.session
        only = {"start": False, "pause": False, "resume": False, "stop": False, "save": False}
        assert possible(app) == {**only, "start": True}
        begin(app.desk)
        await until(pilot, lambda: session.snapshot().step > 3)
        app.tick()
        assert possible(app) == {**only, "pause": True, "stop": True, "save": True}
        await pilot.press("p")
        await until(pilot, lambda: session.snapshot().state == "paused")
        app.tick()
        assert possible(app) == {**only, "resume": True, "stop": True, "save": True}
        await pilot.pause()
        enabled = {key.key: key.enabled for key in app.main.query_one(KeyBar).keys}
        assert not enabled["s"]
        assert enabled["r"]
        await pilot.press("r")
        await until(pilot, lambda: session.snapshot().state == "running")
        app.tick()
        await pilot.press("w")
        await until(pilot, lambda: session.snapshot().saved)
        await pilot.press("x")
        assert session.join(5.0)
        app.tick()
        assert possible(app) == {**only, "start": True, "resume": True}, "what was stopped can be gone on with"

    play(make_desk(tmp_path), scene)


def test_start_and_go_on_ask_the_app(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        asked: list[Path | None] = []
        app.start_training = lambda resume=None, changes=None: asked.append(resume)  # type: ignore[method-assign]
        await pilot.press("s")
        begin(app.desk)
        await until(pilot, lambda: app.desk.session.snapshot().step > 3)
        app.desk.session.stop()
        app.desk.session.join(5.0)
        app.tick()
        await pilot.press("r")
        await pilot.pause()
        assert asked == [None, tmp_path / "run"]

    play(make_desk(tmp_path), scene)


def test_a_run_that_another_process_trains_can_be_watched(tmp_path: Path) -> None:
    run = tmp_path / "theirs[red]"
    run.mkdir()
    (run / "metrics.jsonl").write_text("", encoding="utf-8")
    lock = FolderLock(run / "lock")
    lock.acquire()

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        pane = app.main.panes["train"]
        await until(pilot, lambda: "theirs[red] is being trained outside this app" in screen_text(app))
        await pilot.press("v")
        await until(pilot, lambda: app.desk.source is not None)
        assert pane.check_action("watch", ()) is None
        assert "outside this app" not in screen_text(app)
        await pilot.press("u")
        await until(pilot, lambda: app.desk.source is None)
        lock.release()
        pane._ticks = 0
        app.tick()
        await until(pilot, lambda: "outside this app" not in screen_text(app))
        assert pane.check_action("watch", ()) is None

    try:
        play(make_desk(tmp_path), scene)
    finally:
        lock.release()


def test_after_a_look_at_a_run_that_has_ended_a_training_can_be_started(tmp_path: Path) -> None:
    run = tmp_path / "ended"
    run.mkdir()
    lines = [json.dumps(event.to_json()) for event in (State("training", 0), Finished("max_steps", 3, 2.0))]
    (run / "metrics.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        app.on_watch_run(WatchRun(run))
        pane = app.main.panes["train"]
        await until(pilot, lambda: app.desk.snapshot().state in ("done", "failed") and not app.desk.snapshot().live)
        app.tick()
        assert pane.check_action("start", ()) is True
        begin(app.desk)
        app.tick()
        assert pane.check_action("start", ()) is None, "one is running"
        app.desk.session.stop()
        app.desk.session.join(5.0)

    play(make_desk(tmp_path), scene)


def test_a_run_that_was_stopped_elsewhere_can_be_gone_on_with_while_it_is_looked_at(tmp_path: Path) -> None:
    run = tmp_path / "hers"
    (run / "checkpoints" / "step-00000003").mkdir(parents=True)
    events = (State("training", 0), Saved(3, str(run / "checkpoints" / "step-00000003")), Finished("SIGTERM", 3, 2.0))
    (run / "metrics.jsonl").write_text("".join(json.dumps(e.to_json()) + "\n" for e in events), encoding="utf-8")

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        app.on_watch_run(WatchRun(run))
        pane = app.main.panes["train"]
        await until(pilot, lambda: app.desk.snapshot().state == "done" and not app.desk.snapshot().live)
        app.tick()
        assert "stopped" in screen_text(app)
        assert pane.check_action("resume", ()) is True

    play(make_desk(tmp_path), scene)


def test_view_keys(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        begin(app.desk)
        await until(pilot, lambda: app.desk.session.snapshot().step > 200)
        app.desk.session.pause()
        app.tick()
        loss, lr = app.main.query_one("#plot-loss", Plot), app.main.query_one("#plot-lr", Plot)
        assert loss.smoothing == 0.6
        await pilot.press("e")
        assert loss.smoothing == 0.9
        assert app.settings.get("plot.smoothing", 0.0) == 0.9
        await pilot.press("l")
        assert (loss.log_y, lr.log_y) == (True, False)
        await pilot.press("f")
        assert loss.recent
        assert lr.recent
        await pilot.press("left", "left", "plus")
        assert loss.cursor is not None
        assert loss.zoom is not None
        await pilot.press("n", "l")
        assert lr.log_y
        assert "-chosen" in lr.classes
        await pilot.press("m")
        assert lr.display
        assert not loss.display
        assert lr.size.height > 12
        await pilot.press("escape")
        assert loss.display
        await pilot.press("n", "n", "escape", "escape")
        assert (loss.cursor, loss.zoom) == (None, None)

    play(make_desk(tmp_path), scene)


def test_maximized_answers_show_what_was_expected(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        begin(app.desk)
        await until(pilot, lambda: app.desk.session.snapshot().step > 30)
        app.tick()
        app.main.query_one(Answers).focus()
        await pilot.press("m")
        await pilot.pause()
        text = screen_text(app)
        assert "expected: 蒸馏水" in text
        assert "Maximize" in text, "the keys of the tab still work"

    play(make_desk(tmp_path), scene)


def test_a_failure_is_shown_with_cause_and_advice_and_the_app_lives_on(tmp_path: Path) -> None:
    engine = FakeEngine(steps=50, fail_at=5, error=DataError("{file}: [/red] \x1b]0;x\x07 broken", file="a.jsonl"))

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        begin(app.desk)
        app.desk.session.join(5.0)
        await until(pilot, lambda: "the training has failed" in screen_text(app))
        text = screen_text(app)
        assert "a.jsonl: [/red] \\x1b]0;x\\x07 broken" in text
        assert "What to do" in text
        assert "All lines of the run" in text
        await pilot.press("escape")
        assert "failed" in text_of(app, "#train-state")
        assert "data.train" in text_of(app, "#train-figures")
        engine.fail_at = None
        begin(app.desk, "second")
        app.desk.session.join(5.0)
        app.tick()
        assert "finished" in text_of(app, "#train-state")
        assert "valid: 90.0 % exact" in text_of(app, "#train-state")

    play(make_desk(tmp_path, engine), scene)


def test_names_and_answers_cannot_break_the_screen(tmp_path: Path) -> None:
    desk = make_desk(tmp_path)
    probe = {"prompt": "[bold]\x1b[2J\u202eq", "expected": "x"}
    desk.config = desk.config.update({"data.probes": [probe]})

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        begin(app.desk, "r[red]\x1b]52;c;eA==\x07")
        await until(pilot, lambda: app.desk.session.snapshot().probes)
        app.tick()
        await pilot.pause()
        text = screen_text(app)
        assert not any(ord(char) < 32 and char != "\n" for char in text)
        assert "\u202e" not in text
        assert "[bold]\\x1b[2J" in text
        assert "r[red]\\x1b]52" in text

    play(desk, scene)


def test_a_nan_leaves_a_gap_and_the_screen_alive(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        begin(app.desk)
        app.desk.session.join(5.0)
        app.tick()
        await pilot.press("l", "e")
        await pilot.pause()
        assert "done" in text_of(app, "#train-state")

    play(make_desk(tmp_path, FakeEngine(steps=60, nan_at=30)), scene)


def test_the_log_is_kept_over_tabs_and_begins_anew_for_another_source(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        log = app.main.query_one(Log)
        begin(app.desk)
        app.desk.session.join(5.0)
        app.tick()
        count = log.line_count
        app.tick()
        assert log.line_count == count > 20
        await pilot.press("5", "1")
        assert log.line_count == count
        begin(app.desk, "second")
        app.desk.session.join(5.0)
        app.tick()
        assert log.line_count > count

    play(make_desk(tmp_path, FakeEngine(steps=20)), scene, tabs=("train", "runs"))


def test_only_what_changed_is_painted_again(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        begin(app.desk)
        app.desk.session.join(5.0)
        app.tick()
        await pilot.pause()
        painted = 0
        for static in app.main.query("TrainPane Static"):
            old = static.refresh

            def counting(*args: Any, _old: Any = old, **more: Any) -> Any:
                nonlocal painted
                painted += 1
                return _old(*args, **more)

            static.refresh = counting  # type: ignore[method-assign]
        pane = app.main.panes["train"]
        snapshot = app.desk.snapshot()
        pane.tick(snapshot)
        first = painted
        for _again in range(5):
            pane.tick(snapshot)
        assert painted <= first + 1

    play(make_desk(tmp_path, FakeEngine(steps=20)), scene)


def test_every_action_has_its_method_and_its_words() -> None:
    for action in ACTIONS:
        assert hasattr(TrainPane, f"action_{action.id.split('(')[0]}")
        assert action.label
        assert action.help.endswith(".")
