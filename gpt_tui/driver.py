"""The terminal under the app: where the screen is drawn, and what happens when the terminal goes away.

Textual draws on standard error, takes 126 % of a core when its terminal has hung up, and blocks for ever when a
write has failed. Here the screen has a descriptor of its own, so that standard error can go to a log; a terminal
that is gone takes all writes without a word and is reported once.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from textual.driver import Driver

    from .app import GptApp


class ScreenFile:
    """A descriptor of the terminal as the file that Textual writes to. A dead terminal swallows everything."""

    def __init__(self, fd: int) -> None:
        self._fd = os.dup(fd)
        self.gone = False

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def write(self, text: str) -> int:
        self.write_bytes(text.encode("utf-8", "replace"))
        return len(text)

    def write_bytes(self, data: bytes) -> int:
        size = len(data)
        while data and not self.gone:
            try:
                data = data[os.write(self._fd, data) :]
            except OSError:
                self.gone = True
        return size

    def flush(self) -> None:
        """Every write has reached the system already."""


def in_browser() -> bool:
    """Whether textual-serve has started this process, to show the app in a browser."""
    return os.environ.get("TEXTUAL_DRIVER", "").startswith("textual.drivers.web_driver:")


def screen_driver() -> type[Driver] | None:
    """The driver class for this system; None: Textual's own (Windows has no hang-ups and no job control)."""
    if in_browser():
        return _browser_driver()
    if sys.platform == "win32":
        return None
    return _posix_driver()


def _posix_driver() -> type[Driver]:
    import termios

    from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
    from textual.drivers.linux_driver import LinuxDriver

    for digit in "12345":  # Textual reads Alt and a digit as what a Mac types with Option: 4 would be ¢
        cast(dict[str, object], ANSI_SEQUENCES_KEYS).pop("\x1b" + digit, None)

    class ScreenDriver(LinuxDriver):
        """Draws on standard output's terminal; tells the app when it has hung up."""

        def __init__(self, app: GptApp, **options: Any) -> None:
            super().__init__(app, **options)
            self._gpt_app = app
            self._screen_file = ScreenFile(sys.__stdout__.fileno() if sys.__stdout__ else 1)
            self._file = self._screen_file  # type: ignore[assignment]

        def has_hung_up(self) -> bool:
            """Whether the terminal is gone, however that came to pass."""
            if self._screen_file.gone:
                return True
            try:
                termios.tcgetattr(self.fileno)
            except termios.error:
                return True
            return False

        def _run_input_thread(self) -> None:
            try:
                self.run_input_thread()
            except OSError:  # EIO: nobody is at the other end any more
                self._gpt_app.call_later(self._gpt_app.hang_up)

        def suspend_now(self) -> None:
            """Give the terminal back and stop the process; returns when the shell has it go on.

            Not by SIGTSTP to oneself: its handler may run in the middle of a paint.
            """
            self.suspend_application_mode()
            self._must_signal_resume = True
            os.kill(os.getpid(), signal.SIGSTOP)

        def _sigtstp_application(self, *_: object) -> None:
            # Let the training come to a pause first, so that its clock stands still.
            self._gpt_app.call_later(self._gpt_app.action_suspend)

    return ScreenDriver


def _browser_driver() -> type[Driver]:
    from textual.drivers.web_driver import WebDriver

    class BrowserDriver(WebDriver):
        """Draws through a pipe to textual-serve. A page that was closed is a terminal that hung up."""

        def __init__(self, app: GptApp, **options: Any) -> None:
            super().__init__(app, **options)
            self._gpt_app = app
            self._pipe = ScreenFile(self.fileno)
            self._write = self._pipe.write_bytes  # type: ignore[assignment]

        def has_hung_up(self) -> bool:
            return self._pipe.gone

        def on_meta(self, packet_type: str, payload: dict[str, object]) -> None:
            if packet_type == "quit":
                self._gpt_app.call_later(self._gpt_app.hang_up)
            else:
                super().on_meta(packet_type, payload)

        def run_input_thread(self) -> None:
            super().run_input_thread()
            if not self.exit_event.is_set():  # the server at the other end is gone
                self._gpt_app.call_later(self._gpt_app.hang_up)

    return BrowserDriver
