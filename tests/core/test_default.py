"""The checkpoint that answers where no run is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.config import Config
from core.default import FILE, Default, checkpoint_of, choose_run, clear_default, read_default, write_default
from core.errors import CheckpointError, RunError
from core.runs import Run


def make_run(folder: Path, name: str) -> Run:
    """A run with one checkpoint that looks like one from outside."""
    run = Run(folder / name)
    run.create(Config())
    step = run.checkpoints / "step-00000010"
    step.mkdir(parents=True)
    (step / "manifest.json").write_text("{}", encoding="utf-8")
    return run


def test_written_and_read(tmp_path: Path) -> None:
    make_run(tmp_path, "a")
    assert read_default(tmp_path) is None
    default = Default("a", "step-00000010", {"p": 0.01, "against": "b:last"})
    write_default(tmp_path, default)
    assert read_default(tmp_path) == default


def test_the_default_answers_where_no_run_is_named(tmp_path: Path) -> None:
    old, new = make_run(tmp_path, "old"), make_run(tmp_path, "new")
    new.metrics.write_text("", encoding="utf-8")
    assert choose_run(tmp_path, None, None) == (new, "last")
    write_default(tmp_path, Default("old", "best"))
    assert choose_run(tmp_path, None, None) == (old, "best")
    assert choose_run(tmp_path, None, "int8") == (old, "int8")
    assert choose_run(tmp_path, "new", None) == (new, "last")
    assert choose_run(tmp_path, "new", "best") == (new, "best")


def test_deleting_the_run_clears_it(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, name) for name in ("a", "b")]
    write_default(tmp_path, Default("a", "best"))
    runs[1].delete()
    assert read_default(tmp_path) is not None
    runs[0].delete()
    assert not (tmp_path / FILE).exists()


def test_a_run_that_went_away_by_itself_is_no_default(tmp_path: Path) -> None:
    make_run(tmp_path, "b")
    write_default(tmp_path, Default("gone", "best"))
    assert read_default(tmp_path) is None
    assert choose_run(tmp_path, None, None)[0].name == "b"
    clear_default(tmp_path, "b")
    assert (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"run": "../b", "checkpoint": "best"}', '{"run": "a", "checkpoint": "../../x"}', "{", "3"]
)
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str) -> None:
    make_run(tmp_path, "a")
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=r"default\.json"):
        read_default(tmp_path)
    clear_default(tmp_path, "a")  # deleting a run must not fail on it


def test_evidence_of_another_kind_is_passed_over(tmp_path: Path) -> None:
    make_run(tmp_path, "a")
    (tmp_path / FILE).write_text(json.dumps({"run": "a", "checkpoint": "best", "evidence": 3}), encoding="utf-8")
    assert read_default(tmp_path) == Default("a", "best")


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="cannot be written"):
        write_default(tmp_path / "file", Default("a", "best"))


def test_a_checkpoint_by_run_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, "a")
    folder = run.checkpoints / "step-00000010"
    assert checkpoint_of(tmp_path, "a:step-00000010") == (run, folder)
    monkeypatch.setattr("core.checkpoint.verify", lambda path: {})
    for spec in ("a", "a:last", "a:", str(run.path)):
        assert checkpoint_of(tmp_path, spec)[1] == folder
    with pytest.raises(CheckpointError, match=r"no checkpoint 'best'; there are: step-00000010"):
        checkpoint_of(tmp_path, "a:best")
    with pytest.raises(RunError, match="no run 'c'"):
        checkpoint_of(tmp_path, "c:best")
