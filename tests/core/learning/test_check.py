"""``check_run``: a whole run is called whole, and whatever is wrong with one is found and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.check import Finding, check_run
from core.errors import RunError
from core.events import RolledBack, Saved, Step
from core.recorder import Recorder
from core.runs import Run

Lab = Any


@pytest.fixture
def run(lab: Lab) -> Run:
    """A run that came to its end."""
    changes = {"training.max_steps": 4, "training.save_interval": 2, "training.eval_interval": 2, "training.int8": True}
    ready: Run = lab.ready(changes)
    return ready


def findings(run: Run, level: str) -> list[str]:
    return [finding.what for finding in check_run(run) if finding.level == level]


def test_a_finished_run_is_whole(run: Run) -> None:
    assert findings(run, "error") == []
    assert findings(run, "note") == []
    good = findings(run, "ok")
    assert [text.partition(":")[0] for text in good] == [
        "config.yaml", "tokenizer.json", "checkpoints/step-00000004", "checkpoints/step-00000002", "checkpoints/best",
        "checkpoints/int8", "metrics.jsonl", "report.json", "lock",
    ]  # fmt: skip
    assert "up to step 4" in good[6]


def test_nothing_is_changed(run: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    list(check_run(run))
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_a_run_that_was_stopped_has_no_report(lab: Lab) -> None:
    lab.cut_short({"training.save_interval": 2}, "run", lambda event: isinstance(event, Saved))
    assert findings(lab.run(), "error") == []
    assert findings(lab.run(), "note") == ["report.json: not there, the run was not trained to its end"]


def test_a_run_that_has_only_begun_is_not_damaged(lab: Lab) -> None:
    lab.cut_short({}, "run", lambda event: True)
    assert findings(lab.run(), "error") == []
    assert len(findings(lab.run(), "note")) == 3


def test_what_went_back_is_in_order(run: Run) -> None:
    with Recorder(run) as recorder:
        recorder.write(RolledBack(5, 2, 0.5))
        for number in (3, 4):
            recorder.write(Step(number, 1.0, 1e-3, 1.0, 1.0, 1.0, None))
    assert findings(run, "error") == []


def append(text: str) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        with open(run.metrics, "a", encoding="utf-8") as file:
            file.write(text)

    return change


def edit(name: str, old: bytes, new: bytes) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        data = (run.path / name).read_bytes()
        assert old in data
        (run.path / name).write_bytes(data.replace(old, new, 1))

    return change


def remove(name: str) -> Callable[[Run], None]:
    return lambda run: (run.path / name).unlink()


def rename(old: str, new: str) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        (run.path / old).rename(run.path / new)

    return change


STEP_3 = json.dumps(Step(3, 1.0, 1e-3, 1.0, 1.0, 1.0, None).to_json())
LAST = "checkpoints/step-00000004"


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (remove("config.yaml"), "no config.yaml in it"),
        (edit("config.yaml", b"batch_size: 4", b"batch_size: -4"), "batch_size"),
        (remove("tokenizer.json"), "tokenizer.json: no such file"),
        (edit("tokenizer.json", b"{", b"["), "tokenizer.json: not a tokenizer"),
        (edit(f"{LAST}/model.safetensors", b"__", b"--"), "model.safetensors: damaged"),
        (edit(f"{LAST}/state.json", b'"step": 4', b'"step": 5'), "state.json: damaged"),
        (remove(f"{LAST}/optimizer.safetensors"), "optimizer.safetensors: no such file"),
        (remove("checkpoints/best/manifest.json"), "best/manifest.json: no such file"),
        (rename(LAST, "checkpoints/step-00000009"), "step-00000009: holds step 4"),
        (append("{\n"), "metrics.jsonl:22: not an event"),
        (append('[1]\n"x"\n'), "metrics.jsonl:23: not an event"),
        (append('{"kind": "step", "step": "20", "loss": "1"}\n'), "metrics.jsonl:22: not an event"),
        (append("\n" * 20), "20 damaged lines"),
        (append(STEP_3 + "\n"), "step 3 after step 4"),
        (edit("report.json", b"{", b"["), "report.json:"),
        (lambda run: (run.path / "report.json").write_text("[]"), "report.json: not a report"),
    ],
)
def test_damage_is_found_and_named(run: Run, damage: Callable[[Run], object], found: str) -> None:
    if "model.safetensors" in found:
        path = run.path / LAST / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"\x55")
    else:
        lines = len(run.metrics.read_bytes().splitlines())
        found = found.replace("jsonl:22", f"jsonl:{lines + 1}").replace("jsonl:23", f"jsonl:{lines + 2}")
        damage(run)
    wrong = [finding for finding in check_run(run) if finding.level == "error"]
    assert any(found in finding.what for finding in wrong), wrong
    assert all(finding.advice or "damaged lines" in finding.what for finding in wrong)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (append('{"kind": "st'), "half a line"),
        (lambda run: (run.checkpoints / ".step-00000006.99.tmp").mkdir(), "left by an interrupted write"),
        (lambda run: (run.path / ".config.yaml.99.tmp").touch(), "left by an interrupted write"),
        (rename(LAST, "checkpoints/.step-00000004.old"), "just being replaced"),
        (lambda run: run.path.chmod(0o755), "other users"),
    ],
)
def test_what_is_harmless_is_only_noted(run: Run, change: Callable[[Run], object], found: str) -> None:
    change(run)
    assert findings(run, "error") == []
    (note,) = findings(run, "note")
    assert found in note


def test_a_run_someone_trains_is_noted(run: Run) -> None:
    lock = run.lock
    lock.acquire()
    (note,) = (finding for finding in check_run(run) if finding.level == "note")
    lock.release()
    assert isinstance(note, Finding)
    assert "is writing to it" in note.what


def test_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run"):
        list(check_run(Run(tmp_path / "missing")))
