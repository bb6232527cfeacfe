import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from core.text import cell_width
from gpt_tui import actions, i18n
from gpt_tui.actions import APP_ACTIONS, PANES, key_name, key_names, pane_actions
from gpt_tui.app import GptApp
from gpt_tui.leaving import Leave
from gpt_tui.messages import OpenInChat, TrainingEnded, TrainingStarted, WatchRun
from gpt_tui.panes.base import Pane
from gpt_tui.screens.help import HelpScreen
from gpt_tui.screens.quit import QuitScreen
from gpt_tui.settings import AppSettings
from gpt_tui.zh import TEXTS

from .app_desk import begin, make_desk, play, screen_text, until
from .fake_engine import FakeEngine

TRAIN = ("train",)


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(i18n, "_language", "zh")


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "_language", "en")


def listen(pane: Pane, heard: list[Any]) -> None:
    """Note the messages a pane is sent."""
    send = pane.post_message

    def heard_and_sent(message: Message) -> bool:
        heard.append(message)
        return send(message)

    pane.post_message = heard_and_sent  # type: ignore[method-assign]


def test_nothing_heavy_is_imported_before_the_first_paint() -> None:
    code = "import sys, gpt_tui.app, gpt_tui.screen, gpt_tui.screens.main; print('torch' in sys.modules)"
    names = "; ".join(f"import gpt_tui.panes.{name}" for name, _class, _label in PANES)
    done = subprocess.run(
        [sys.executable, "-c", f"{names}; {code}"], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("size", [(80, 24), pytest.param((120, 40), marks=pytest.mark.slow)])
def test_tabs_by_number_key_and_mouse(size: tuple[int, int], tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        for number, (name, _class, label) in enumerate(PANES, 1):
            await pilot.press(f"alt+{number}")  # also out of a field
            await pilot.pause()
            assert app.main.current == name
            assert app.main.panes[name].display
            assert sum(pane.display for pane in app.main.panes.values()) == 1
            assert f"{number} {label}" in screen_text(app)
            assert app.focused is not None, "a tab always has the focus, or its keys would be dead"
            rows = screen_text(app).split("\n")
            assert all(sum(map(cell_width, row)) <= size[0] for row in rows)
        await pilot.click("#tab-train")
        assert app.main.current == "train"
        await pilot.press("ctrl+pagedown")
        assert app.main.current == "config"
        await pilot.press("ctrl+pageup", "ctrl+pageup")
        assert app.main.current == "runs"

    play(make_desk(tmp_path), scene, size)


def test_quitting_without_a_training_just_leaves(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        await pilot.press("q")
        await pilot.pause()

    assert play(make_desk(tmp_path), scene, tabs=TRAIN).return_value == Leave("quit")


@pytest.mark.parametrize(
    ("keys", "leave"),
    [
        (["s"], Leave("save")),
        (["d"], Leave("discard")),
        (["h"], Leave("headless")),
        (["enter"], Leave("save")),
        (["down", "down", "enter"], Leave("headless")),
        (["escape"], None),
        (["end", "enter"], None),
    ],
)
def test_quitting_during_a_training_asks(keys: list[str], leave: Leave | None, tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        begin(app.desk, "my\x1b[31mrun")
        await until(pilot, lambda: app.desk.session.snapshot().step > 3)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, QuitScreen) and app.screen.query(OptionList))
        text = screen_text(app)
        assert "my\\x1b[31mrun is being trained" in text
        for words in ("Save and quit", "Quit without saving", "Go on without the screen", "Cancel",
                      "nothing of this run is kept"):  # fmt: skip
            assert words in text
        await pilot.press(*keys)
        await pilot.pause()
        if leave is None:
            assert app.desk.session.active
            assert app.screen is app.main

    assert play(make_desk(tmp_path), scene, tabs=TRAIN).return_value == leave


def test_help_is_made_of_the_table_of_actions(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        await pilot.press("f1")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        text = str(app.screen.query_one("#help-lines").content)  # type: ignore[attr-defined]
        flat = " ".join(text.split())
        for name, _class, label in PANES:
            assert f"Tab {label}" in text
            for action in pane_actions(name):
                assert action.label in text
                assert not action.key or key_names(action) in text
        for action in APP_ACTIONS:
            assert action.label in flat
        assert text.index("Tab Train") < text.index("Everywhere") < text.index("Tab Config")
        await pilot.press("escape")
        assert app.screen is app.main
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)

    play(make_desk(tmp_path), scene)


def test_the_palette_finds_and_does_every_action(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count > 0)
        count = sum(len(pane_actions(name)) for name, _class, _label in PANES) + len(APP_ACTIONS) - 1
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count == count)
        app.screen.query_one(Input).value = "train: smoothing"
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: app.settings.get("plot.smoothing", 0.0) == 0.9)
        app.main.open_tab("runs")
        await app.perform(pane_actions("train")[1], "train")  # pause: nothing runs
        await pilot.pause()
        assert app.main.current == "train"
        assert any("not possible now: Pause" in n.message for n in app._notifications)

    play(make_desk(tmp_path), scene)


@pytest.mark.usefixtures("chinese")
def test_chinese_and_switching_the_language(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        begin(app.desk)
        await until(pilot, lambda: app.desk.session.snapshot().probes)
        await until(pilot, lambda: "训练中" in screen_text(app))  # for a moment it evaluates
        text = screen_text(app)
        for word in ("设置", "对话", "损失", "验证损失", "实时回答", "开始", "退出", "帮助"):
            assert word in text, word
        await pilot.press("f2")
        await until(pilot, lambda: "running" in screen_text(app))
        text = screen_text(app)
        assert "live answers" in text
        assert "Start" in text
        assert "训练中" not in text
        assert app.main.pane.has_focus_within
        assert app.settings.get("language", "") == "en"
        for number in "23451":
            await pilot.press(f"alt+{number}")
        await pilot.press("f2")
        await until(pilot, lambda: "训练中" in screen_text(app))
        log = app.main.query_one("#train-log")
        assert log.line_count > 5, "nothing is lost on the way"  # type: ignore[attr-defined]

    play(make_desk(tmp_path), scene)


@pytest.mark.slow
def test_the_focus_stays_in_the_open_tab_when_the_language_changes(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        for number, (name, _class, _label) in enumerate(PANES, 1):
            await pilot.press(f"alt+{number}")
            pane = app.main.panes[name]
            await until(pilot, lambda pane=pane: pane.has_focus_within)  # type: ignore[misc]
            kind = type(app.focused)
            await pilot.press("f2")
            await until(pilot, lambda pane=pane, kind=kind: pane.has_focus_within and type(app.focused) is kind)  # type: ignore[misc]
            assert app.main.current == name

    play(make_desk(tmp_path), scene)


def test_themes_are_remembered(tmp_path: Path) -> None:
    desk = make_desk(tmp_path)
    desk.settings = AppSettings(tmp_path / "app.json")
    desk.settings.put("theme", "ansi-light")

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        assert app.theme == "ansi-light"
        await pilot.press("f3")
        await pilot.pause()
        assert AppSettings(tmp_path / "app.json").get("theme", "") == app.theme != "ansi-light"

    play(desk, scene, tabs=TRAIN)


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light", "textual-light"])
def test_states_are_words_and_signs_in_every_theme(theme: str, tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        app.theme = theme
        begin(app.desk)
        app.desk.session.join(5.0)
        app.tick()
        await pilot.pause()
        assert "■ done" in screen_text(app)
        bar = app.main.query_one("#tab-train")
        assert bar.text_style.reverse, "the open tab is not told by its colour alone"  # type: ignore[attr-defined]

    play(make_desk(tmp_path, FakeEngine(steps=20)), scene, tabs=TRAIN)


def test_no_color(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        begin(app.desk)
        app.desk.session.join(5.0)
        app.tick()
        await pilot.pause()
        assert app.no_color
        text = screen_text(app)
        assert "✓" in text
        assert "■ done" in text
        assert "o eval" in text

    play(make_desk(tmp_path, FakeEngine(steps=40)), scene, tabs=TRAIN)


@pytest.mark.parametrize("remembered", [None, "ansi-light"])
def test_no_color_in_sixteen_colours_is_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remembered: str | None
) -> None:
    """A terminal's own colours have no brightness: without colour they were black on black."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("rich.console.Console.color_system", "standard")
    desk = make_desk(tmp_path)
    if remembered and desk.settings is not None:
        desk.settings.put("theme", remembered)

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        await pilot.pause()
        assert not app.theme.startswith("ansi-")

    play(desk, scene, tabs=TRAIN)


def test_a_window_too_small_says_so_and_comes_back(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        await pilot.resize_terminal(50, 10)
        await until(pilot, lambda: "50×10" in screen_text(app))
        text = screen_text(app)
        assert "72×20" in " ".join(text.split())
        assert "Train" not in text
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "1 Train" in screen_text(app))

    play(make_desk(tmp_path), scene, tabs=TRAIN)


def test_panes_hear_of_beginning_and_end(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        heard: list[Any] = []
        for pane in app.main.panes.values():
            listen(pane, heard)
        begin(app.desk)
        await until(pilot, lambda: app.desk.session.snapshot().step > 2)
        app.tick()
        app.tick()
        assert heard.count(TrainingStarted(tmp_path / "run")) == len(PANES)
        app.desk.session.stop()
        app.desk.session.join(5.0)
        app.tick()
        app.tick()
        assert heard.count(TrainingEnded(tmp_path / "run")) == len(PANES)

    play(make_desk(tmp_path), scene)


def test_a_second_training_is_refused_with_a_line(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        begin(app.desk)
        await until(pilot, lambda: app.desk.session.snapshot().step > 2)
        app.start_training()
        await pilot.pause()
        assert any("a training is running" in n.message for n in app._notifications)

    play(make_desk(tmp_path), scene, tabs=TRAIN)


def test_watching_takes_the_place_of_the_own_training_and_gives_it_back(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()

    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        app.on_watch_run(WatchRun(other))
        app.tick()
        assert not app.desk.snapshot().live
        assert app.desk.source is not None
        assert app.main.panes["train"].check_action("pause", ()) is None, "it is not this app's to steer"
        await pilot.press("u")
        await pilot.pause()
        assert app.desk.source is None
        assert app.desk.snapshot().live

    play(make_desk(tmp_path), scene, tabs=TRAIN)


def test_open_in_chat_opens_the_tab_and_is_passed_on_once(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        got: list[Any] = []
        listen(app.main.panes["chat"], got)
        app.main.panes["runs"].post_message(OpenInChat(tmp_path / "r", "best"))
        await pilot.pause()
        await pilot.pause()
        assert app.main.current == "chat"
        assert [(m.run_path, m.checkpoint) for m in got if isinstance(m, OpenInChat)] == [(tmp_path / "r", "best")]

    play(make_desk(tmp_path), scene)


def test_hangup_setting(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        app.action_toggle_hangup()
        assert app.settings.get("hangup", "") == "save"
        app.hang_up()
        await pilot.pause()

    assert play(make_desk(tmp_path), scene, tabs=TRAIN).return_value == Leave("save", hung_up=True)


def test_a_hang_up_leaves_the_training_alone(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        app.hang_up()
        await pilot.pause()

    assert play(make_desk(tmp_path), scene, tabs=TRAIN).return_value == Leave("headless", hung_up=True)


def test_suspending_waits_for_the_pause_and_goes_on_afterwards(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any]) -> None:
        suspended_in: list[str] = []
        session = app.desk.session
        app.action_suspend_process = lambda: suspended_in.append(session.snapshot().state)  # type: ignore[method-assign]
        begin(app.desk)
        await until(pilot, lambda: session.snapshot().step > 2)
        await pilot.press("ctrl+z")
        await until(pilot, lambda: suspended_in)
        assert suspended_in == ["paused"]
        step = session.snapshot().step
        await until(pilot, lambda: session.snapshot().step > step)
        session.pause()
        await until(pilot, lambda: session.snapshot().state == "paused")
        await pilot.press("ctrl+z")
        await until(pilot, lambda: len(suspended_in) == 2)
        assert session.control.paused, "who paused himself finds it paused"

    play(make_desk(tmp_path), scene, tabs=TRAIN)


def test_keys_as_people_read_them() -> None:
    assert [key_name(k) for k in ("ctrl+q", "f1", "question_mark", "s", "shift+left", "plus")] == [
        "Ctrl+Q", "F1", "?", "s", "Shift+←", "+",
    ]  # fmt: skip


def test_the_table_of_actions_is_whole() -> None:
    for name, class_name, _label in PANES:
        module = __import__(f"gpt_tui.panes.{name}", fromlist=[class_name])
        pane = getattr(module, class_name)
        for action in pane_actions(name):
            assert hasattr(pane, f"action_{action.id.split('(')[0]}"), f"{name}: {action.id}"
    for action in APP_ACTIONS:
        assert hasattr(GptApp, f"action_{action.id.split('(')[0]}"), action.id
    assert actions.pane_actions("train")


def test_every_word_of_the_table_has_a_translation() -> None:
    words = [word for action in (*APP_ACTIONS, *pane_actions("train")) for word in (action.label, action.help)]
    assert [word for word in [*words, *(label for _n, _c, label in PANES)] if word not in TEXTS] == []
