"""A lock per run: who has it is told, and nothing is left of it when its process ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import RunError
from core.lock import FolderLock

fcntl = pytest.importorskip("fcntl", reason="FIFOs, modes and flock are not to be had on Windows")

Python = Callable[..., subprocess.Popen[str]]

HOLDER = """
import sys
from pathlib import Path
from core.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.readline()
lock.release()
print("released", flush=True)
sys.stdin.readline()
"""


def test_a_second_process_is_told_who_has_the_lock(tmp_path: Path, python: Python) -> None:
    path = tmp_path / "lock"
    lock = FolderLock(path)
    assert not lock.is_held()
    process = python(HOLDER, path)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "held\n"
    assert lock.is_held()
    with pytest.raises(RunError) as caught:
        lock.acquire()
    assert f"process {process.pid} on {socket.gethostname()}" in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "released\n"
    assert not lock.is_held()  # the process still lives
    lock.acquire()
    assert lock.is_held()
    assert json.loads(path.read_text())["pid"] == os.getpid()
    lock.release()


def test_a_killed_process_leaves_no_lock(tmp_path: Path, python: Python) -> None:
    lock = FolderLock(tmp_path / "lock")
    process = python(HOLDER, lock.path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.kill()
    assert process.wait(30) == -signal.SIGKILL
    assert not lock.is_held()
    lock.acquire()
    lock.release()


def test_the_lock_excludes_within_one_process_too(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path / "lock"), FolderLock(tmp_path / "lock")
    first.acquire()
    with pytest.raises(RunError, match=f"process {os.getpid()} "):
        second.acquire()
    second.release()  # it has nothing to let go of
    assert second.is_held()
    first.release()
    first.release()
    second.acquire()
    second.release()
    assert not first.is_held()


def test_looking_at_a_lock_neither_makes_nor_takes_it(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "lock")
    assert not lock.is_held()
    assert list(tmp_path.iterdir()) == []
    assert not FolderLock(tmp_path / "no folder" / "lock").is_held()


def test_a_look_at_the_lock_keeps_no_training_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = FolderLock(tmp_path / "lock")
    with open(lock.path, "w") as looking:
        fcntl.flock(looking, fcntl.LOCK_EX)
        monkeypatch.setattr(time, "sleep", lambda seconds: fcntl.flock(looking, fcntl.LOCK_UN))
        lock.acquire()
        lock.release()


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "\udcff"])
def test_a_lock_that_does_not_name_its_holder_still_holds(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lock"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with open(path) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RunError, match=r"process \? on \?"):
            FolderLock(path).acquire()


def test_one_that_is_held_already_is_acquired_anew(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "lock")
    lock.acquire()
    lock.acquire()
    lock.path.unlink()
    lock.acquire()
    assert lock.path.is_file()
    assert FolderLock(lock.path).is_held()
    lock.release()
    assert not FolderLock(lock.path).is_held()
