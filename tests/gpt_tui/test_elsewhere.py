"""Which run another process trains."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from core.lock import FolderLock
from gpt_tui.desk import word_for
from gpt_tui.elsewhere import RECENT_SECONDS, last_change, trained_elsewhere


def make_run(folder: Path, name: str, age: float = 0.0) -> FolderLock:
    run = folder / name
    run.mkdir(parents=True)
    (run / "lock").write_text("{}", encoding="utf-8")
    (run / "metrics.jsonl").write_text("", encoding="utf-8")
    os.utime(run / "metrics.jsonl", (time.time() - age, time.time() - age))
    return FolderLock(run / "lock")


def test_only_a_run_whose_lock_is_held_counts(tmp_path: Path) -> None:
    assert trained_elsewhere(tmp_path / "none") is None
    make_run(tmp_path, "newest")
    lock, older = make_run(tmp_path, "held", 10.0), make_run(tmp_path, "also-held", 20.0)
    assert trained_elsewhere(tmp_path) is None
    older.acquire()
    lock.acquire()
    try:
        assert trained_elsewhere(tmp_path) == tmp_path / "held"
    finally:
        lock.release()
        older.release()
    assert trained_elsewhere(tmp_path) is None


def test_an_old_run_is_left_alone(tmp_path: Path) -> None:
    lock = make_run(tmp_path, "old", RECENT_SECONDS + 100.0)
    lock.acquire()
    try:
        assert trained_elsewhere(tmp_path) is None
    finally:
        lock.release()


def test_when_a_run_last_changed(tmp_path: Path) -> None:
    make_run(tmp_path, "run", 50.0)
    assert abs(last_change(tmp_path / "run") - (time.time() - 50.0)) < 40.0
    assert last_change(tmp_path) == 0.0


def test_commands_name_a_run_of_another_folder_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GPT_TUI_RUNS", raising=False)
    assert word_for(Path("runs/first")) == word_for(tmp_path / "runs" / "first") == "first"
    assert word_for(Path("../runs/first")) == "../runs/first"
    assert word_for(tmp_path / "my runs" / "first") == f"'{tmp_path}/my runs/first'"
