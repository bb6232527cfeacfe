"""Files that survive: bounded reads of regular files only, atomic durable writes.

A write is done when the bytes and the name are both on the disk: temporary sibling, flush, fsync, rename,
fsync of the folder. A file follows the user's umask; the folder of a run is his alone (0700).
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from .errors import UserError

#: Bytes; a longer file holds no weights that fit a computer.
MAX_WEIGHTS = 64 * 2**30
MARK = b"\xef\xbb\xbf"  # byte order mark


def open_regular(path: Path, error: type[UserError] = UserError) -> IO[bytes]:
    """Open a regular file for reading; a folder, FIFO or device is refused without blocking.

    Raises ``error`` naming the path and what is wrong with it.
    """
    try:
        # O_NONBLOCK: opening a FIFO nobody writes to would otherwise wait for ever.
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except IsADirectoryError:
        raise error("{path}: is a folder, expected a file", path=str(path)) from None
    except FileNotFoundError:
        raise error("{path}: no such file", path=str(path)) from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise error("{path}: cannot be read: {reason}", path=str(path), reason=reason) from None
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        if stat.S_ISDIR(mode):
            raise error("{path}: is a folder, expected a file", path=str(path))
        raise error("{path}: is not a regular file", path=str(path))
    return os.fdopen(fd, "rb")


def read_bytes(path: Path, *, limit: int, error: type[UserError] = UserError) -> bytes:
    """The bytes of a regular file of at most ``limit`` bytes."""
    with open_regular(path, error) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise error("{path}: larger than {limit} bytes", path=str(path), limit=limit)
        return file.read(size)


def numbered_lines(path: Path, longest: int, error: type[UserError] = UserError) -> Iterator[tuple[int, bytes]]:
    """Lines of a regular file from 1 on, ends included and a byte order mark not, one in memory at a time.

    Split at line feeds only: texts may hold U+2028, at which str.splitlines would break. Raises ``error`` for a line of
    more than ``longest`` bytes.
    """
    with open_regular(path, error) as file:
        number = 0
        while line := file.readline(longest + 1):
            number += 1
            if len(line) > longest:
                raise error("{where}: the line is longer than {limit} bytes", where=f"{path}:{number}", limit=longest)
            yield number, line.removeprefix(MARK if number == 1 else b"")


def file_sha256(path: Path, error: type[UserError] = UserError) -> str:
    """SHA-256 of a regular file's bytes."""
    digest = hashlib.sha256()
    with open_regular(path, error) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_text(path: Path, *, limit: int, error: type[UserError] = UserError) -> str:
    """UTF-8 text of a regular file, with or without a byte order mark."""
    data = read_bytes(path, limit=limit, error=error)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = problem.object.count(b"\n", 0, problem.start) + 1  # counted behind the mark, as start is
        raise error("{path}:{line}: not UTF-8 text; save the file as UTF-8 (not GBK, say)",
                    path=str(path), line=line) from None  # fmt: skip


def read_json(path: Path, *, limit: int = 64_000_000, error: type[UserError] = UserError) -> Any:
    """A JSON file. Raises ``error`` naming file and line when it is not JSON."""
    text = read_text(path, limit=limit, error=error)
    try:
        return json.loads(text)
    except json.JSONDecodeError as problem:
        raise error(
            "{path}:{line}: not valid JSON: {problem}",
            path=str(path),
            line=problem.lineno,
            problem=problem.msg,
        ) from None
    except (RecursionError, ValueError):
        raise error("{path}: not valid JSON: nested too deeply or a number too long", path=str(path)) from None


def fsync_folder(path: Path) -> None:
    """Make names created in a folder durable (POSIX; elsewhere the system does it by itself)."""
    if os.name != "posix":
        return
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all: the name appears only after the bytes are on the disk.

    Through a link its target is written. A device or FIFO is written to as it is: renaming a file over
    /dev/null would take it away from the whole machine.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file() and not path.is_dir():
        with open(path, "wb") as device:
            yield device
        return
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        yield file


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """``atomic_file`` for a writer that opens its file itself: a path beside, flushed and renamed at the end."""
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        yield temporary
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        fsync_folder(path.parent)
    except BaseException as problem:
        with contextlib.suppress(OSError):
            temporary.unlink()
        _name_what_was_asked_for(problem, temporary, path)
        raise


@contextlib.contextmanager
def atomic_folder(
    path: Path, mode: int = 0o777, *, keep: Callable[[Path], bool] = lambda folder: False
) -> Iterator[Path]:
    """Fill a folder whole or not at all: what is written into the one that is yielded appears under its name at the
    end, in place of a folder that was there. An error leaves the old one and no half of the new one.

    For a folder that several may make at once: one that ``keep`` finds there in the end, and good, stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        _remove_abandoned(path)
        temporary.mkdir(mode=mode)
        yield temporary
        fsync_folder(temporary)
        try:
            if not keep(path):
                _put_in_place(temporary, path)
        except OSError:
            if not keep(path):  # not somebody else who was quicker
                raise
        remove_tree(temporary)
    except BaseException as problem:
        with contextlib.suppress(OSError):
            remove_tree(temporary)
        _name_what_was_asked_for(problem, temporary, path)
        raise


def _name_what_was_asked_for(problem: BaseException, temporary: Path, path: Path) -> None:
    """Nobody knows the temporary name that the system complains about."""
    if isinstance(problem, OSError) and str(problem.filename).startswith(str(temporary)):
        problem.filename = str(path) + str(problem.filename).removeprefix(str(temporary))
        problem.filename2 = None


def _beside(path: Path) -> Path:
    """A name of this thread's own: another may be writing the same."""
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")


ABANDONED = 24 * 3600.0  # seconds without a change after which nobody is filling a folder any more


def _remove_abandoned(folder: Path) -> None:
    """What processes that were killed have left of this folder."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*.tmp"):
        with contextlib.suppress(OSError):  # another user's, or gone by now: no reason to write nothing
            if time.time() - left.lstat().st_mtime > ABANDONED:
                remove_tree(left)


def _put_in_place(temporary: Path, folder: Path) -> None:
    if folder.exists():
        # A folder cannot be renamed over another. Between these two renames a crash leaves the old one
        # under the name that ``replaced_name`` says.
        old = replaced_name(folder)
        remove_tree(old)
        os.rename(folder, old)
        try:
            os.rename(temporary, folder)
        except OSError:
            os.rename(old, folder)
            raise
        fsync_folder(folder.parent)
        remove_tree(old)
    else:
        os.rename(temporary, folder)
        fsync_folder(folder.parent)


def replaced_name(folder: Path) -> Path:
    """Where a folder is for the moment in which another takes its place."""
    return folder.parent / f".{folder.name}.old"


def write_text(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    with atomic_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))  # a surrogate, of a name no UTF-8: \udcb5 is JSON too


class LineFile:
    """A file that lines are appended to as they come.

    What a full disk does not take waits in memory and goes first as soon as there is room, so that no line is ever
    torn or out of order. Half a line that a killed process left is ended first.
    """

    MOST_WAITING = 4_000_000  # bytes; a day of lines of a training. What comes on top of it is dropped

    def __init__(self, path: Path) -> None:
        """Raises ``OSError`` where the file cannot be opened."""
        self.path = path
        self.problem: OSError | None = None
        """Why something still waits; None: everything is in the file."""
        self._waiting = b""
        self._open()

    def _open(self) -> None:
        # Through no link, and waiting for nobody: the folder may be a stranger's.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
            flags |= getattr(os, name, 0)
        number = os.open(self.path, flags, 0o666)
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise OSError(errno.EINVAL, "is not a regular file", str(self.path))
        self._file = open(number, "ab", buffering=0)  # noqa: SIM115 - closed in close()
        if self._file.tell() and not self._waiting and not _ends_with_newline(self.path):
            self._waiting = b"\n"

    def write(self, line: bytes) -> None:
        """Append ``line``; a full disk is kept in ``problem``, not raised."""
        if len(self._waiting) + len(line) <= self.MOST_WAITING:
            self._waiting += line
        with contextlib.suppress(OSError):
            self.write_waiting()

    def write_waiting(self) -> None:
        """Try once more. Raises ``OSError`` while there is no room."""
        try:
            if self._waiting and not self.path.exists():  # somebody has removed it: lines would go nowhere
                removed = self._file
                self._open()
                removed.close()
            while self._waiting:
                self._waiting = self._waiting[self._file.write(self._waiting) :]
        except OSError as problem:
            self.problem = problem
            raise
        self.problem = None

    def replace(self, lines: list[bytes]) -> None:
        """The file with these lines instead, whole or not at all; what waits stays behind them."""
        self._file.close()  # Windows replaces no file that is open
        try:
            with atomic_file(self.path) as file:
                file.writelines(lines)
            self._waiting = self._waiting.removeprefix(b"\n")  # it was to end half a line, which is gone
        finally:
            self._open()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.write_waiting()
        self._file.close()


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


def make_private_folder(path: Path) -> None:
    """Create a folder that only its owner can look into; existing folders are left as they are."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


def remove_tree(path: Path) -> None:
    """Delete a folder; a symbolic link is removed, never followed."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
