"""Opening the app, or saying in one line why it cannot open here."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .i18n import _, set_language

if TYPE_CHECKING:
    from core.config import Config
    from core.schema import SamplingConfig

    from .app import GptApp
    from .desk import Desk
    from .stderr import StderrSink

#: Below this nothing fits; at 80×24 everything does.
MIN_WIDTH, MIN_HEIGHT = 72, 20


@dataclass(frozen=True)
class Opening:
    """What the app shows and does first."""

    tab: str = "train"
    config: Config | None = None
    """Settings to edit and train; None: ./config.yaml or the teacher recipe."""
    config_file: Path | None = None
    start: bool = False
    """Begin a training at once."""
    run_name: str | None = None
    resume: Path | None = None
    """With ``start``: go on with this run; ``config``, if given, holds what is to change in it."""
    watch: Path | None = None
    """Show this run as another process trains it."""
    ask: Path | None = None
    """Open this run in the Chat tab."""
    checkpoint: str = ""
    sampling: Callable[[Config], SamplingConfig] | None = None
    """How a model answers in the Chat tab, from its run's settings; None: as they say."""
    seed: int | None = None
    """For answers in the Chat tab."""


def open_app(args: argparse.Namespace, opening: Opening | None = None) -> int:
    """The terminal app; returns the exit code. 2 where there is no terminal for it."""
    problem = why_not()
    if problem:
        print(f"gpt-tui: {problem}", file=sys.stderr)
        return 2
    from core.errors import UserError

    from .cli import _check_core, say

    _check_core()
    try:
        return _open(args, opening or Opening())
    except UserError as error:
        print(f"gpt-tui: {say(error)}", file=sys.stderr)
        return 1


def why_not() -> str:
    """Why the app cannot open here and what to do instead, in one line; '' where it can."""
    from .driver import in_browser

    if in_browser():
        return ""
    instead = _("use: gpt-tui --no-ui train, gpt-tui ask, gpt-tui --help")
    if not (_is_terminal(sys.__stdin__) and _is_terminal(sys.__stdout__)):
        return _("the app needs a terminal, and input or output is redirected; {instead}").format(instead=instead)
    if os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
        return _("the app needs a terminal that can draw, and this one is TERM={term}; {instead}").format(
            term=os.environ["TERM"], instead=instead
        )
    assert sys.__stdout__ is not None
    try:
        width, height = os.get_terminal_size(sys.__stdout__.fileno())
    except OSError:
        return ""
    if 0 < width < MIN_WIDTH or 0 < height < MIN_HEIGHT:
        return _("the window is {width}×{height}, the app needs at least {w}×{h}; enlarge it, or {instead}").format(
            width=width, height=height, w=MIN_WIDTH, h=MIN_HEIGHT, instead=instead
        )
    return ""


def _is_terminal(stream: object) -> bool:
    try:
        return stream is not None and bool(stream.isatty())  # type: ignore[attr-defined]
    except ValueError:  # closed
        return False


def _open(args: argparse.Namespace, opening: Opening) -> int:
    from .desk import Desk, default_config, runs_folder
    from .session import Session
    from .settings import AppSettings, state_folder
    from .stderr import StderrSink

    settings = AppSettings.of_user()
    language = settings.get("language", "")
    if getattr(args, "lang", None) is None and language in ("zh", "en"):
        set_language(language)
    if opening.config is None or opening.resume is not None:
        config, file = default_config()
        loaded = config if file else None
    else:
        config, file, loaded = opening.config, opening.config_file, None
    sink = StderrSink(state_folder() / "app.log")
    desk = Desk(
        config, base_of(config), runs_folder(args.runs_dir), session=Session(sink=sink), config_file=file,
        run_name=opening.run_name, settings=settings, loaded=loaded,
    )  # fmt: skip
    return run_app(desk, sink, opening)


def base_of(config: Config) -> Config:
    """The recipe that settings started from; the settings themselves where there is no such recipe."""
    from core.config import load_config, recipe_names

    return load_config(config.recipe) if config.recipe in recipe_names() else config


def run_app(desk: Desk, sink: StderrSink, opening: Opening) -> int:
    """Open the screen, and when it has closed bring a training that is left to its end."""
    from core.text import printable

    from .app import GptApp
    from .driver import in_browser, screen_driver
    from .leaving import Leave, afterwards

    app = GptApp(desk, driver_class=screen_driver(), when_open=lambda it: _begin(it, opening), warm_up=_import_torch)
    sink.open()
    leave = app.run()
    said_in = printable(str(sink.path))  # the run's log while one is trained, else the app's own
    if leave is not None and in_browser():  # nobody reads what is printed now
        leave = replace(leave, hung_up=True)
    if leave is None or not leave.hung_up:
        sink.close()
    if leave is None:
        # The screen broke down. What is being trained must not suffer from it.
        print(
            _("gpt-tui: the screen has failed – a fault in the program; details: {path}").format(path=said_in),
            file=sys.stderr,
        )
        leave = Leave("headless", code=1)
    code = afterwards(desk.session, leave)
    if threading.active_count() > 1:
        # A thread that still computes or imports must not meet a half-torn-down interpreter.
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    return code


def _begin(app: GptApp, opening: Opening) -> None:
    from .messages import OpenInChat, WatchRun
    from .panes.chat import ChatPane

    chat = app.main.panes["chat"]
    assert isinstance(chat, ChatPane)
    chat.preset(opening.sampling, opening.seed)
    if opening.watch is not None:
        app.on_watch_run(WatchRun(opening.watch))
    elif opening.ask is not None:
        app.on_open_in_chat(OpenInChat(opening.ask, opening.checkpoint))
    elif opening.start:
        app.start_training(opening.resume, opening.config if opening.resume is not None else None)
    else:
        app.action_tab(opening.tab)


def _import_torch() -> None:
    """Behind the first paint: what the first training, answer or list of runs would otherwise wait for."""
    import core.train  # noqa: F401
