"""Files that survive: what may be read, and writes that are whole or not at all."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import storage
from core.errors import DataError, UserError
from core.storage import (
    atomic_file,
    atomic_folder,
    atomic_path,
    make_private_folder,
    open_regular,
    read_bytes,
    read_json,
    read_text,
    remove_tree,
    write_json,
    write_text,
)

fcntl = pytest.importorskip("fcntl", reason="FIFOs, modes and flock are not to be had on Windows")

Python = Callable[..., subprocess.Popen[str]]


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """The outcome of ``work``, which must not block: an exception is returned."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, f"still blocked after {seconds} s"
    return found[0]


# --- reading


def no_file(folder: Path, kind: str) -> Path:
    path = folder / "f"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a link to a FIFO":
        os.mkfifo(folder / "fifo")
        path.symlink_to("fifo")
    elif kind == "a dangling link":
        path.symlink_to("gone")
    elif kind == "a link to itself":
        path.symlink_to("f")
    elif kind == "a device":
        return Path("/dev/zero")
    elif kind == "a socket":
        server = socket.socket(socket.AF_UNIX)
        here = os.getcwd()
        os.chdir(folder)  # the names of sockets must be short
        server.bind("f")
        os.chdir(here)
        server.close()
    elif kind == "below a file":
        path.write_bytes(b"")
        return path / "g"
    elif kind == "a NUL in its name":
        return folder / "a\0b"
    elif kind == "half a character in its name":
        return folder / "a\ud800b"
    elif kind == "a name too long":
        return folder / ("a" * 5000)
    return path


KINDS = {
    "nothing": "no such file",
    "a folder": "is a folder, expected a file",
    "a FIFO": "is not a regular file",
    "a link to a FIFO": "is not a regular file",
    "a dangling link": "no such file",
    "a link to itself": "cannot be read: ",
    "a device": "is not a regular file",
    "a socket": "cannot be read: ",
    "below a file": "cannot be read: ",
    "a NUL in its name": "cannot be read: ",
    "half a character in its name": "cannot be read: ",
    "a name too long": "cannot be read: ",
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = no_file(tmp_path, kind)
    error = within(60, lambda: open_regular(path, DataError))
    assert isinstance(error, DataError)
    assert str(error).startswith(f"{path}: {KINDS[kind]}")


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "link").symlink_to("f")
    assert read_bytes(tmp_path / "link", limit=10) == b"x"


def test_the_limit_of_bytes_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 10)
    assert read_bytes(path, limit=10) == b"x" * 10
    with pytest.raises(UserError, match="larger than 9 bytes"):
        read_bytes(path, limit=9)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        ("鲸🐋".encode(), "鲸🐋"),
        (b"\xef\xbb\xbfhello", "hello"),
        (b"a\r\nb\r\n", "a\r\nb\r\n"),
        (b"a\0b\x1b[2J", "a\0b\x1b[2J"),
        ("a\u2028b".encode(), "a\u2028b"),
    ],
)
def test_text_comes_without_a_byte_order_mark_and_otherwise_as_it_is(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(data)
    assert read_text(path, limit=100) == text


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "with a byte order mark"])
@pytest.mark.parametrize(
    ("data", "line"), [(b"\xff", 1), (b"a\n\xff", 2), ("鲸\n\n鲸".encode()[:-1], 3), ("中文".encode("gbk"), 1)]
)
def test_text_that_is_not_utf8_names_the_line(tmp_path: Path, mark: bytes, data: bytes, line: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(mark + data)
    with pytest.raises(UserError) as caught:
        read_text(path, limit=100)
    assert str(caught.value) == f"{path}:{line}: not UTF-8 text; save the file as UTF-8 (not GBK, say)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: not valid JSON: "),
        ('{\n"a": }', ":2: not valid JSON: "),
        ("[" * 100_000, ": not valid JSON: nested too deeply"),
        ("9" * 10_000, ": not valid JSON: nested too deeply or a number too long"),
    ],
    ids=["empty", "broken", "deep", "long number"],
)
def test_broken_json_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "f.json"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_json(path, error=DataError)
    assert str(caught.value).startswith(f"{path}{message}")


@given(st.one_of(st.binary(), st.text('[]{}:,"\\u0123 \nnulltrue-.eE\ufeff').map(str.encode)))
def test_any_bytes_are_json_or_a_user_error(message_of: Any, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "f.json"
    path.write_bytes(data)
    message = message_of(lambda: read_json(path))
    assert message is None or message.startswith(f"{path}:")


# --- writing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(path: Path, error: BaseException) -> None:
    with atomic_file(path) as file:
        file.write(b"new, but only half")
        file.flush()
        raise error


def test_a_file_is_written_with_the_folders_above_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "f.txt"
    write_text(path, "鲸\r\n")
    assert path.read_bytes() == "鲸\r\n".encode()
    assert names(path.parent) == ["f.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_the_old_content_stays_when_the_writer_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with pytest.raises(error):
        write_half(path, error())
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_no_name_appears_when_the_writer_of_a_new_file_fails(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="full"):
        write_half(tmp_path / "f", ValueError("full"))
    assert names(tmp_path) == []


def test_the_old_content_is_there_until_the_new_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with atomic_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(fd: int) -> None:
        done.append("fsync folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else f"fsync {os.fstat(fd).st_size} bytes")
        fsync(fd)

    def note_replace(source: Path, target: Path) -> None:
        done.append("rename")
        replace(source, target)

    monkeypatch.setattr(storage.os, "fsync", note_fsync)
    monkeypatch.setattr(storage.os, "replace", note_replace)
    write_text(tmp_path / "f", "four")
    assert done == ["fsync 4 bytes", "rename", "fsync folder"]


def test_kill_in_the_middle_of_a_write_leaves_the_old_content(tmp_path: Path, python: Python) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    process = python(
        """
import os, signal, sys
from pathlib import Path
from core.storage import atomic_file
with atomic_file(Path(sys.argv[1])) as file:
    file.write(b"new")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
""",
        path,
    )
    assert process.wait(30) == -signal.SIGKILL
    assert path.read_bytes() == b"old"


def test_a_file_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "f", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


def test_through_a_link_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "target").write_text("old")
    (tmp_path / "f").symlink_to("there/target")
    write_text(tmp_path / "f", "new")
    assert (tmp_path / "f").is_symlink()
    assert (tmp_path / "there" / "target").read_text() == "new"
    assert names(tmp_path) == ["f", "there"]
    assert names(tmp_path / "there") == ["target"]


def test_a_device_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    """``--out /dev/null`` by root once left a regular file there."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    (tmp_path / "link").symlink_to("fifo")
    for path in (fifo, tmp_path / "link"):
        reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        write_text(path, "news")
        assert os.read(reading, 100) == b"news"
        os.close(reading)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert names(tmp_path) == ["fifo", "link"]


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="f"):
        write_text(tmp_path, "x")
    assert names(tmp_path.parent).count(tmp_path.name) == 1
    assert names(tmp_path) == []


def test_json_is_written_readable_and_read_back(tmp_path: Path) -> None:
    value = {"名": "鲸", "list": [1, 2.5, None, True], "no UTF-8": os.fsdecode(b"\xb5\xe7.jsonl"), "quote": '\\"'}
    write_json(tmp_path / "f.json", value)
    assert "鲸" in (tmp_path / "f.json").read_text(encoding="utf-8")
    assert read_json(tmp_path / "f.json") == value


def test_json_has_no_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "f.json", 1)
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "f.json", {"loss": float("nan")})
    assert read_json(tmp_path / "f.json") == 1


def test_a_private_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "runs" / "a"
    before = os.umask(0o022)
    try:
        make_private_folder(path)
        make_private_folder(path)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (path, path.parent, tmp_path)] == [0o700, 0o700, 0o755]


def test_removing_follows_no_link(tmp_path: Path) -> None:
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "gold").write_text("gold")
    run = tmp_path / "run"
    run.mkdir()
    (run / "link").symlink_to(treasure)
    (tmp_path / "link").symlink_to(treasure)
    remove_tree(run)
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "never there")
    assert names(tmp_path) == ["treasure"]
    assert names(treasure) == ["gold"]


# -- whole folders, and files that somebody else opens ------------------------------------------------------------


def test_a_folder_appears_whole_and_takes_the_place_of_another(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with atomic_folder(tmp_path / "out") as folder:
            assert folder.parent == tmp_path
            (folder / text).write_text(text)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["second"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_is_not_finished_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "first").touch()

    def interrupted() -> None:
        with atomic_folder(tmp_path / "out") as folder:
            (folder / "second").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["first"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_path_that_somebody_else_writes_to(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "out") as temporary:
        temporary.write_text("whole")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out").read_text() == "whole"

    def interrupted() -> None:
        with atomic_path(tmp_path / "out") as temporary:
            temporary.write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        interrupted()
    assert (tmp_path / "out").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(os.name != "posix", reason="needs names that may not be too long")
@pytest.mark.parametrize("write", [lambda path: write_text(path, "x"), lambda path: _filled(path)])
def test_errors_name_the_file_and_not_the_one_beside_it(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / ("x" * 250)  # 255 are allowed, and the one beside has more
    with pytest.raises(OSError, match="File name too long") as caught:
        write(path)
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []


def _filled(path: Path) -> None:
    with atomic_folder(path) as folder:
        (folder / "file").touch()


def test_what_a_killed_process_left_goes_after_a_day(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".run.1-1.tmp", ".run.2-2.tmp", ".runner.1-1.tmp"))
    for folder in (old, new, other):
        folder.mkdir()
        (folder / "half").write_bytes(b"x")
    for folder in (old, other):
        os.utime(folder, (1e9, 1e9))
    with atomic_folder(tmp_path / "run") as folder:
        (folder / "file").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".run.2-2.tmp", ".runner.1-1.tmp", "run"]


def test_two_threads_may_write_the_same_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with atomic_file(path) as file:
        file.write(b"one")
        assert within(60, lambda: write_text(path, "other")) is None
        assert path.read_bytes() == b"other"
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["f"]


def test_through_a_link_somebody_else_writes_its_target(tmp_path: Path) -> None:
    (tmp_path / "f").symlink_to("target")
    with atomic_path(tmp_path / "f") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "f").is_symlink()
    assert (tmp_path / "target").read_text() == "new"
