"""A program in a pseudo-terminal of its own (POSIX)."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class Terminal:
    """Starts a command whose standard streams are a terminal of ``size`` (columns, rows)."""

    def __init__(
        self, command: Sequence[str], cwd: Path, environment: Mapping[str, str], size: tuple[int, int] = (120, 40)
    ) -> None:
        import fcntl
        import pty
        import termios

        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.output = b""
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            list(command), stdin=slave, stdout=slave, stderr=slave, env=dict(environment), cwd=cwd,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def read(self, seconds: float) -> bool:
        """Take what comes within that time, at most one piece; False once the program has closed the terminal."""
        ready, _w, _x = select.select([self.master], [], [], seconds)
        if not ready:
            return self.process.poll() is None
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # Linux's end of file
            return False
        self.output += piece
        return bool(piece)

    def write(self, keys: str) -> None:
        """As if they were typed."""
        os.write(self.master, keys.encode())

    def seconds_until(self, text: str, most: float) -> float | None:
        """Seconds from the start until ``text`` was written; None if it was not within ``most``."""
        wanted = text.encode()
        while wanted not in self.output:
            if time.perf_counter() - self.started > most or not self.read(0.1):
                return None
        return time.perf_counter() - self.started

    def close(self) -> None:
        """End the program, by force if it does not go by itself, and the terminal."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            end = time.monotonic() + 10.0
            while self.process.poll() is None and time.monotonic() < end:
                self.read(0.1)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.master)
