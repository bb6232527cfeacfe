"""What somebody found by using the app in a real terminal."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from core.config import load_config
from core.default import Default, write_default
from core.events import Progress, Sample, State
from core.text import cell_width
from gpt_tui import i18n
from gpt_tui.app import GptApp
from gpt_tui.chat.engine import Entry
from gpt_tui.chat.records import LIVE, Choice
from gpt_tui.chat.room import Room
from gpt_tui.failure import Failure
from gpt_tui.history import History
from gpt_tui.panes.chat import ChatPane
from gpt_tui.panes.config import ConfigPane
from gpt_tui.widgets.answers import Answers
from gpt_tui.widgets.figures import figures, progress_line, state_line
from gpt_tui.widgets.form_controls import TextBox
from gpt_tui.widgets.keybar import KeyBar
from gpt_tui.widgets.report_data import gather
from gpt_tui.widgets.run_table_data import RunsReader
from gpt_tui.widgets.run_table_work import look

from .app_desk import make_desk, play, screen_text, until
from .fake_chat import FakeChat


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "_language", "en")


def test_numbers_go_from_tab_to_tab_and_change_no_setting(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        pane = app.main.panes["config"]
        assert isinstance(pane, ConfigPane)
        await pilot.press("2")
        await until(pilot, lambda: pane.query("FieldRow"))
        await pilot.pause()
        assert app.focused is pane
        await pilot.press("4", "2")
        await pilot.pause()
        assert app.main.current == "config"
        assert pane.state.changed() == []
        await pilot.press("down", "7")
        await until(pilot, lambda: pane.state.changed() == ["model.n_layer"])
        await pilot.press("escape")  # back to what it was
        await until(pilot, lambda: pane.state.changed() == [])
        assert isinstance(app.focused, TextBox)
        await pilot.press("escape")  # and out of the field
        await until(pilot, lambda: app.focused is pane)
        await pilot.press("1")
        assert app.main.current == "train"

    play(make_desk(tmp_path), scene)


def test_outside_the_prompt_numbers_open_tabs_and_letters_are_a_question(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        pane = app.main.panes["chat"]
        assert isinstance(pane, ChatPane)
        await pilot.press("3")
        await until(pilot, lambda: app.focused is pane.dialogue.prompt)
        await pilot.press("escape")
        assert app.focused is pane
        await pilot.press("q")  # leaves the app everywhere else
        assert pane.dialogue.prompt.text == "q"
        assert app.focused is pane.dialogue.prompt
        await pilot.press("escape", "5")
        assert app.main.current == "runs"

    play(make_desk(tmp_path), scene)


def test_another_language_leaves_the_focus_in_the_open_tab(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        pane = app.main.panes["config"]
        assert isinstance(pane, ConfigPane)
        await pilot.press("4", "2")
        await until(pilot, lambda: pane.query("FieldRow"))
        await pilot.press("f2")
        await until(pilot, lambda: "保存" in screen_text(app).splitlines()[-1])
        await pilot.pause(0.05)
        assert app.focused is pane

    play(make_desk(tmp_path), scene)


@pytest.mark.parametrize("width", [80, 120])
def test_quit_and_help_are_always_in_sight(width: int, tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        for key in ("1", "2", "4", "w", "5"):
            await pilot.press(key)
            await pilot.pause(0.05)
            assert screen_text(app).splitlines()[-1].rstrip().endswith("Quit f1 Help"), key
        bar = app.main.query_one(KeyBar)
        assert sum(key.cells for key in bar.keys) <= width + 1
        await pilot.click(KeyBar, offset=(sum(key.cells for key in bar.keys[:-1]) + 1, 0))
        await until(pilot, lambda: len(app.screen_stack) == 2)

    play(make_desk(tmp_path), scene, (width, 24))


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of POSIX")
def test_alt_and_a_number_is_what_a_terminal_sends() -> None:
    from textual._xterm_parser import XTermParser

    from gpt_tui.driver import screen_driver

    screen_driver()
    parser = XTermParser()
    keys = [getattr(event, "key", "") for text in ("\x1b4", "") for event in parser.feed(text)]
    assert "alt+4" in keys


def test_alt_and_a_number_in_a_field_changes_the_tab_and_not_the_field(tmp_path: Path) -> None:
    """With the character that a terminal's parser gives it: Alt+3 made ``n_head`` 3."""

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        await pilot.press("2", "down", "down")
        await pilot.pause()
        before = app.desk.config
        assert isinstance(app.focused, Input)
        app.post_message(Key("alt+4", "4"))
        await until(pilot, lambda: app.main.current == "data")
        assert app.desk.config == before

    play(make_desk(tmp_path), scene)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_behind_the_screen_no_handler_needs_the_event_loop(tmp_path: Path) -> None:
    """SIGCONT comes with a hang-up; Textual's handler for it would end the training."""
    before = {number: signal.getsignal(number) for number in (signal.SIGCONT, signal.SIGTSTP, signal.SIGWINCH)}

    def fails(_number: int, _frame: object) -> None:
        raise RuntimeError("no running event loop")

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        signal.signal(signal.SIGCONT, fails)
        app._signals.remove()
        os.kill(os.getpid(), signal.SIGCONT)

    try:
        play(make_desk(tmp_path), scene)
        assert signal.getsignal(signal.SIGCONT) is signal.SIG_DFL
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_corpus_being_made_is_a_start_with_a_bar() -> None:
    history = History()
    history.take(State("making_corpus"))
    history.take(Progress("making_corpus", 3000, 12000))
    snapshot = history.snapshot()
    assert snapshot.active
    assert "making the corpus 3,000 / 12,000" in state_line(snapshot, "reader", 78).plain
    bar = progress_line(snapshot, 78).plain
    assert bar.count("█") == (bar.count("█") + bar.count("░")) // 4
    history.take(State("tokenizing"))
    assert history.snapshot().task is None


def test_the_questions_at_the_end_have_a_bar() -> None:
    history = History()
    history.take(State("verifying", 40))
    history.take(Progress("verifying", 150, 600, 40))
    snapshot = history.snapshot()
    assert "150 / 600" in state_line(snapshot, "teacher", 80).plain
    assert " 25 %" in progress_line(snapshot, 80).plain
    history.take(State("done", 40))
    assert history.snapshot().task is None


def test_what_a_text_model_writes_is_shown(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        samples = tuple(Sample(10 * n, n, "灯湾是个小镇，", f"第{n}段\n\x1b[31m下一行") for n in (1, 2))
        answers = app.main.query_one(Answers)
        answers.show((), samples)
        await pilot.pause()
        text = screen_text(app)
        assert "live text  at step 20" in text
        assert "灯湾是个小镇，第2段" in text
        assert "第1段" not in text
        assert "\\x1b[31m下一行" in text
        answers.show((), samples, full=True)
        await pilot.pause()
        assert "第1段" in "\n".join(str(line) for line in [answers.query_one("#answers-text").content])  # type: ignore[attr-defined]

    play(make_desk(tmp_path), scene)


def test_the_data_tab_makes_a_corpus_and_shows_all_its_parts(tmp_path: Path) -> None:
    config = load_config("reader").update({"data.corpus_rows": 60, "data.corpus_valid": 20})
    told: list[Progress] = []
    view = gather(config, cache=tmp_path / ".corpora", tell=told.append)
    assert view.problem == ""
    assert told[-1].done == told[-1].total
    assert view.train is not None
    assert view.valid is not None
    assert view.unseen is not None
    assert (len(view.train), len(view.valid), len(view.unseen)) == (60, 20, 20)
    assert any("20 rows with values that training never shows" in line.text for line in view.lines)
    again: list[Progress] = []
    assert gather(config, cache=tmp_path / ".corpora", tell=again.append).problem == ""
    assert again == []


def test_the_run_that_answers_by_default_is_marked(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("recipe: teacher\n", encoding="utf-8")
    assert look(RunsReader(), tmp_path, [], "newest").default is None
    write_default(tmp_path, Default("one", "best"))
    assert look(RunsReader(), tmp_path, [], "newest").default == (tmp_path / "one", "best")
    (tmp_path / "default.json").write_text("{", encoding="utf-8")
    assert look(RunsReader(), tmp_path, [], "newest").default is None


def test_the_chat_follows_the_training_until_somebody_chooses() -> None:
    old, chosen, new = Path("/runs/old"), Path("/runs/chosen"), Path("/runs/new")
    room = Room(FakeChat())
    entries = [Entry(old, ("last",)), Entry(chosen, ("last", "best"), default="best")]
    room.offer(entries, None)
    assert room.choice == Choice(chosen, "best")
    room.offer([Entry(new, ()), *entries], new)
    assert room.choice == Choice(new, LIVE)
    room.offer([Entry(new, ("last",)), *entries], None, new)
    assert room.choice == Choice(new, "last")
    room.choose(Choice(old, "last"))
    room.offer([Entry(new, ("last",)), *entries], None, new)
    assert room.choice == Choice(old, "last")
    room.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_folder_without_runs_says_so_in_a_whole_line(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(i18n, "_language", language)
    monkeypatch.chdir(tmp_path)

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        app.action_tab("runs")
        said = {"en": "(they are kept in runs)", "zh": "（存放在 runs）"}[language]
        await until(pilot, lambda: said in screen_text(app))

    play(make_desk(Path("runs")), scene, tabs=("runs",))


@pytest.mark.parametrize("width", [38, 78, 118])
def test_why_it_failed_and_what_to_do_have_two_lines_each(width: int) -> None:
    """At 80 columns the end of a long sentence was nowhere to be read."""
    history = History()
    history.run = "teacher-20261122-120000"
    cause = "/home/somebody/a rather long folder/with many parts/train.jsonl:17: expected an object"
    history.fail(Failure(cause, "Correct the file, or choose another under data.train in the Config tab."))
    snapshot = history.snapshot()
    lines = [state_line(snapshot, "teacher", width).plain, progress_line(snapshot, width).plain]
    lines += figures(snapshot, None, width).plain.splitlines()
    assert all(sum(map(cell_width, line)) <= width for line in lines)
    text = " ".join(" ".join(lines).split())
    if width >= 78:
        assert cause in text
        assert "under data.train in the Config tab." in text
