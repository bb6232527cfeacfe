"""Leaving the app: by a key, by a signal, or because the terminal is gone – and what becomes of the training."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.text import printable

from .console import STOPPED, Console
from .desk import word_for
from .format import duration
from .i18n import _

if TYPE_CHECKING:
    from .app import GptApp
    from .history import Snapshot
    from .session import Session


@dataclass(frozen=True)
class Leave:
    """How the app was left."""

    what: str
    """'quit' (nothing is trained), 'save', 'discard', 'headless' (the training goes on without the screen)."""
    code: int = 0
    """Exit code, for a signal: 130, 143."""
    hung_up: bool = False
    """The terminal is gone: nothing can be printed."""


class Signals:
    """SIGTERM and SIGINT save and leave, SIGHUP is a hang-up. Only while a real terminal is under the app."""

    def __init__(self, app: GptApp) -> None:
        self._app = app
        self._installed: list[int] = []

    def install(self) -> None:
        if self._app.is_headless or sys.platform == "win32":
            return
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            number = getattr(signal, name)
            loop.add_signal_handler(number, self._got, number)
            self._installed.append(number)

    def _got(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._app.hang_up()
        else:
            self._app.leave(Leave("save", code=128 + number))

    def remove(self) -> None:
        """From here on the handlers of ``afterwards`` hold; in between a signal must not kill."""
        if sys.platform == "win32":
            return
        loop = asyncio.get_running_loop()
        while self._installed:
            number = self._installed.pop()
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        # Textual leaves its handlers in place, and they need the event loop: the SIGCONT that comes with a hang-up
        # would end the training with a traceback as soon as the main thread wakes up.
        for name in ("SIGCONT", "SIGTSTP", "SIGWINCH"):
            signal.signal(getattr(signal, name), signal.SIG_DFL)

    def terminal_is_gone(self) -> bool:
        """Whether the terminal hung up without a signal reaching this process."""
        hung_up = getattr(self._app._driver, "has_hung_up", None)
        return bool(hung_up and hung_up())


def afterwards(session: Session, leave: Leave) -> int:
    """Bring a training to its end after the screen has closed; returns the exit code."""
    if leave.hung_up:
        _drop_terminal()
    code = leave.code
    snapshot = session.snapshot()
    if not session.active:
        return code
    if leave.what == "discard" or (leave.what == "save" and snapshot.started is None):
        # Before the first step there is nothing to save.
        session.stop(discard=True)
        session.join(2.0)
        _remove_what_never_began(session)
        _say(_("left without saving: {run}").format(run=printable(snapshot.run)), leave)
        return code
    if leave.what == "save" and snapshot.state == "verifying":
        # All steps are done and saved; the final check would take its time. --resume makes up for it.
        _say(_("saved in {path}; the final check is left out").format(path=printable(str(snapshot.run_path))), leave)
        _say(_("go on with: gpt-tui --no-ui train --resume {run}").format(run=_word(snapshot)), leave)
        return code
    if leave.what == "save":
        session.stop(reason={130: "SIGINT", 143: "SIGTERM"}.get(code, "user"))
    if leave.what == "headless":
        _say(_("the training goes on here without the screen; Ctrl+C saves and ends it"), leave)
        _say(_("watch it from another terminal: gpt-tui watch {run}").format(run=_word(snapshot)), leave)
    got = _Stops(session)
    with got:
        _follow(session, quiet=leave.hung_up, bar=leave.what == "headless")
    end = session.snapshot()
    if end.failure is not None:
        _say(f"gpt-tui: {end.failure.cause}", leave)
        return 1
    if end.run_path is not None:
        saved = end.saved.step if end.saved else end.started.resumed_step if end.started else 0
        if end.finished is not None and end.finished.steps > saved:  # there was no room on the disk
            _say(_("not saved: the steps from {first} to {last}").format(
                first=saved + 1, last=end.finished.steps), leave)  # fmt: skip
        else:
            _say(_("saved in {path}").format(path=printable(str(end.run_path))), leave)
        if end.finished is not None and end.finished.reason in STOPPED:
            _say(_("go on with: gpt-tui --no-ui train --resume {run}").format(run=_word(end)), leave)
    return code or got.code


def _remove_what_never_began(session: Session) -> None:
    """A new run that was still being prepared and whose thread goes on until the process ends: its folder."""
    from core.runs import Run

    snapshot = session.snapshot()
    if session.active and snapshot.started is None and snapshot.run_path is not None:
        run = Run(snapshot.run_path)
        if run.exists() and not run.has_learnt():
            run.remove()


class _Stops:
    """After the screen: the first SIGINT or SIGTERM saves and ends, the second ends at once; a hang-up is nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.code = 0

    def __enter__(self) -> None:
        signal.signal(signal.SIGINT, self._handle)
        signal.signal(signal.SIGTERM, self._handle)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def __exit__(self, *_error: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _handle(self, number: int, _frame: object) -> None:
        if self._session.control.stop:
            os._exit(128 + number)
        self.code = 128 + number
        self._session.stop(reason=signal.Signals(number).name)


def _follow(session: Session, *, quiet: bool, bar: bool) -> None:
    """Until the training has ended: its lines, as the headless run prints them; or nothing at all."""
    if quiet:
        while not session.join(60.0):  # the thread does the work; waking up once a minute costs nothing
            continue
        return
    console = Console()
    printed = session.snapshot().log_count
    ended = False
    while not ended:
        ended = session.join(0.5)
        snapshot = session.snapshot()
        new = min(len(snapshot.log), snapshot.log_count - printed)
        if new:
            console.clear()
            for line in snapshot.log[-new:]:
                console.print(line.text)
            printed = snapshot.log_count
        if bar and not ended and snapshot.last is not None:
            console.progress(
                snapshot.progress,
                _("loss {loss:.4f}  eta {eta}").format(loss=snapshot.last.loss, eta=duration(snapshot.eta)),
            )
    console.clear()


def _word(snapshot: Snapshot) -> str:
    return word_for(snapshot.run_path) if snapshot.run_path is not None else printable(snapshot.run)


def _say(line: str, leave: Leave) -> None:
    if not leave.hung_up:
        with contextlib.suppress(OSError):
            print(line, flush=True)


def _drop_terminal() -> None:
    """The dead terminal's descriptors lead nowhere from now on: a write to them would be an error.

    Standard error keeps going to the run's log.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.close(null)
