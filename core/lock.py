"""A lock per run: at most one process writes to it, on every system."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import IO

from .errors import RunError, UserError
from .storage import open_regular


class FolderLock:
    """At most one process writes to a run.

    The operating system holds the lock and lets go of it when the process ends, however it ends: a lock can
    never be left behind. The file's text only names the holder, for the message to whoever comes second.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Raises ``RunError`` naming the holder when another process has it. One that is held already is acquired
        anew: its file may have been removed."""
        self.release()
        file = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 - held until release()
        if not _lock_soon(file):
            file.close()
            raise RunError(
                "{run}: another process is writing to it (process {pid} on {host}); "
                "wait for it, stop it, or choose another --run name",
                run=str(self.path.parent),
                **self.holder(),
            )
        self._file = file
        with contextlib.suppress(OSError):  # a full disk: the lock holds, only its holder has no name
            file.seek(0)
            file.truncate()
            json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
            file.flush()

    def release(self) -> None:
        if self._file is not None:
            _unlock(self._file)
            with contextlib.suppress(OSError):  # close() tries once more to write what did not fit on the disk
                self._file.close()
            self._file = None

    def holder(self) -> dict[str, str]:
        """'pid' and 'host' as the file names them, '?' where it does not."""
        try:
            with open_regular(self.path) as file:
                value = json.loads(file.read(1000))
        except (UserError, OSError, ValueError, RecursionError):
            value = None
        found = value if isinstance(value, dict) else {}
        return {key: str(found.get(key, "?"))[:100] for key in ("pid", "host")}

    def is_held(self) -> bool:
        """Whether some living process, this one included, holds the lock."""
        if self._file is not None:
            return True
        try:
            with open(self.path, "r+", encoding="utf-8") as file:
                if not _try_lock(file):
                    return True
                _unlock(file)
        except OSError:
            pass
        return False


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # Windows locks bytes and hides them from readers: lock one far behind the text

    def _try_lock(file: IO[str]) -> bool:
        os.lseek(file.fileno(), _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: IO[str]) -> None:
        os.lseek(file.fileno(), _FAR, os.SEEK_SET)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


def _lock_soon(file: IO[str]) -> bool:
    """Lock within moments: someone who only asks ``is_held`` has the lock for some microseconds."""
    for pause in (0.01, 0.03, 0.1):
        if _try_lock(file):
            return True
        time.sleep(pause)
    return _try_lock(file)
