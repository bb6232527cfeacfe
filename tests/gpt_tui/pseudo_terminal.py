"""A process in a pseudo-terminal, for tests: what it writes, keys for it, a hang-up."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
#: What Textual sends to leave the alternate screen and to show the cursor again.
LEFT_SCREEN, CURSOR_BACK = "\x1b[?1049l", "\x1b[?25h"


class PseudoTerminal:
    """Starts ``python arguments`` as leader of a session whose terminal this is."""

    def __init__(self, arguments: list[str], home: Path, size: tuple[int, int] = (80, 24), **environment: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.before = termios.tcgetattr(slave)
        env = {
            **os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state"),
            "PYTHONPATH": str(ROOT), **environment,
        }  # fmt: skip
        for name in ("NO_COLOR", "COLORTERM", "GPT_TUI_RUNS"):
            if name not in environment:
                env.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, *arguments], stdin=slave, stdout=slave, stderr=slave, env=env, cwd=home,
            preexec_fn=_own_session, close_fds=True,
        )  # fmt: skip
        self.slave = slave
        self.output = ""

    def read(self, seconds: float) -> str:
        """What comes within that time; kept in ``output`` too."""
        end = time.monotonic() + seconds
        got = b""
        while (left := end - time.monotonic()) > 0:
            ready, _w, _x = select.select([self.master], [], [], min(left, 0.05))
            if ready:
                with contextlib.suppress(OSError):
                    got += os.read(self.master, 65536)
        text = got.decode("utf-8", "replace")
        self.output += text
        return text

    def wait_for(self, text: str, seconds: float = 20.0) -> None:
        """Read until ``text`` has been written. Counted in looks: a loaded machine may stand still."""
        looks = 0
        while text not in self.output:
            looks += 1
            assert looks < seconds / 0.05, f"{text!r} did not come; the end of the output: {self.output[-2000:]!r}"
            assert self.process.poll() is None or self.read(0.2), f"ended early: {self.output[-2000:]!r}"
            self.read(0.05)

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def hang_up(self) -> None:
        """Close the terminal as a dropped connection does: the system sends SIGHUP to the session."""
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 20.0) -> int:
        """Exit code; the output is read to its end meanwhile."""
        looks = 0
        while self.process.poll() is None:
            looks += 1
            assert looks < seconds / 0.05, f"still running; the end of the output: {self.output[-2000:]!r}"
            if self.master >= 0:
                self.read(0.05)
            else:
                time.sleep(0.05)
        if self.master >= 0:
            self.read(0.1)
        return int(self.process.returncode)

    def attributes(self) -> Any:
        """The terminal's settings now."""
        return termios.tcgetattr(self.slave)

    def cpu_seconds(self) -> float:
        """Processor time of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def state(self) -> str:
        """'T' for a stopped process, 'S' for a sleeping one, …"""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def close(self) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGCONT)
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)


def _own_session() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
