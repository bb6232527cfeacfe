"""After the last step: what is verified, the int8 checkpoint, and the report to hand in."""

from __future__ import annotations

import errno
import hashlib
import json
import platform
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch

from core import checkpoint
from core.config import Config
from core.control import Control
from core.errors import DataError
from core.evaluate import Graded
from core.events import Eval, Event, Finished, Notice, Probe, Progress, Quantized, Saved, State, Step, Verified
from core.quantize import is_quantized
from core.training import finish
from core.weights_file import read_safetensors

Lab = Any

FULL: dict[str, Any] = {
    "training.max_steps": 12,
    "training.eval_interval": 5,
    "training.int8": True,
    "data.verify_rows": 100,
    "data.probes": [{"prompt": "冰是什么？", "expected": "冰是固态的水。"}],
}


def read_report(lab: Lab) -> dict[str, Any]:
    text = (lab.run().path / "report.json").read_text(encoding="utf-8")

    def refuse(name: str) -> Any:
        raise AssertionError(f"{name} is not JSON")

    report: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return report


# -- the report ---------------------------------------------------------------------------------------------


def test_the_report_has_what_a_student_hands_in(lab: Lab) -> None:
    events = lab.train({**FULL, "training.seed": 5})
    report, end = read_report(lab), events[-1]
    assert isinstance(end, Finished)
    assert (report["run"], report["recipe"], report["reason"]) == ("run", "custom", "max_steps")
    assert (report["steps"], report["seed"], report["epochs"]) == (12, 5, pytest.approx(4.0))
    assert Config.from_dict(report["settings"]) == lab.run().config()
    assert report["tokens"] == lab.of(Step, events)[-1].tokens
    # losses
    evals = lab.of(Eval, events)
    assert [e.step for e in evals] == [5, 10, 12]
    assert report["loss"] == lab.of(Step, events)[-1].loss == end.loss
    assert report["eval_loss"] == evals[-1].loss
    best = min(evals, key=lambda e: e.loss)
    assert (report["best_loss"], report["best_step"]) == (best.loss, best.step)
    # answers
    asked = [p for p in lab.of(Probe, events) if p.step == 12]
    assert [(p["prompt"], p["answer"], p["exact"]) for p in report["probes"]] == [
        (p.prompt, p.answer, p.exact) for p in asked
    ]
    (verified,) = lab.of(Verified, events)
    assert report["exact"] == verified.parts
    # times
    assert report["train_seconds"] == end.train_seconds
    assert 0 < report["train_seconds"] < end.total_seconds
    assert report["finish_seconds"] > 0
    assert report["peak_memory_bytes"] > 50_000_000
    # the machine and the versions
    assert (report["dtype"], report["device"], report["threads"]) == ("fp32", "cpu", 1)
    machine = report["machine"]
    assert machine["torch"] == torch.__version__
    assert machine["python"] == platform.python_version()
    assert machine["cores"] >= 1
    assert machine["memory_bytes"] > 0
    assert machine["processor"]
    assert machine["code"]
    assert platform.node() not in [str(value) for value in machine.values()]
    model = lab.run().load().model
    assert report["parameters"] == sum(p.numel() for p in model.parameters())


def test_the_report_names_the_data(lab: Lab) -> None:
    lab.write("train.jsonl", [*lab.TRAIN, *lab.TRAIN[:2]])
    lab.write("valid.jsonl", [*lab.VALID, lab.TRAIN[0]])
    lab.train(FULL)
    data = read_report(lab)["data"]
    assert (data["train_file"], data["valid_file"]) == ("train.jsonl", "valid.jsonl")
    assert (data["train_rows"], data["train_duplicates"], data["train_used"]) == (14, 2, 12)
    assert (data["valid_rows"], data["leaks"], data["valid_used"]) == (4, 1, 3)
    assert data["vocab_size"] == 300
    for key, name in (("train.jsonl", "train.jsonl"), ("valid/valid.jsonl", "valid.jsonl")):
        assert data["sha256"][key] == hashlib.sha256((lab.folder / name).read_bytes()).hexdigest()
    prepared = lab.prepared()
    assert data["train"]["supervised_tokens"] == prepared.train.supervised_tokens
    assert data["valid"]["rows"] == 3


def test_a_number_that_is_none_does_not_spoil_the_report(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.training.validation.evaluate_loss", lambda *_: float("nan"))
    lab.train(FULL)
    report = read_report(lab)
    assert report["eval_loss"] is None
    assert report["best_loss"] is None


def test_a_stopped_run_has_no_report(lab: Lab) -> None:
    control = Control()

    def on(event: Event) -> None:
        if isinstance(event, Step) and event.step == 3:
            control.request_stop()

    events = lab.train(FULL, control=control, on=on)
    assert not (lab.run().path / "report.json").exists()
    assert not lab.of(Verified, events)
    assert not lab.of(Quantized, events)


# -- questions asked once more ------------------------------------------------------------------------------


def test_what_is_verified_is_what_was_saved(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answers come from the checkpoint read back, not from the model that happens to be in memory."""
    loaded: list[Path] = []
    load_model = finish.load_model
    monkeypatch.setattr(finish, "load_model", lambda folder: loaded.append(folder) or load_model(folder))
    asked: list[Any] = []
    ask_in_order = finish.ask_in_order

    def spy(model: Any, *rest: Any) -> Any:
        asked.append(model)
        return ask_in_order(model, *rest)

    monkeypatch.setattr(finish, "ask_in_order", spy)
    changes = {**FULL, "training.int8": False, "training.dtype": "bf16"}
    lab.train(changes)
    assert [folder.name for folder in loaded] == ["step-00000012"]
    saved = read_safetensors(loaded[0] / "model.safetensors")
    for model in asked:
        assert not model.training
        assert all(torch.equal(parameter, saved[name]) for name, parameter in model.named_parameters())


def test_a_corpus_learnt_by_heart_is_exact(lab: Lab) -> None:
    lab.write("train.jsonl", [("冰？", "冷"), ("火？", "热")])
    lab.write("valid.jsonl", [("冰呢？", "不知道")])
    changes = {**FULL, "training.max_steps": 40, "training.lr": 1e-2, "training.eval_interval": 100}
    events = lab.train({**changes, "tokenizer.vocab_size": 265})
    (verified,) = lab.of(Verified, events)
    train, valid = verified.parts["train"], verified.parts["valid"]
    assert (train["exact"], train["total"], train["exact_rate"], train["majority_rate"]) == (2, 2, 1.0, 0.5)
    assert (valid["exact"], valid["total"], valid["exact_rate"]) == (0, 1, 0.0)
    assert verified.step == 40


def graded_as(monkeypatch: pytest.MonkeyPatch, verdict: str = "EXACT") -> list[list[str]]:
    """Answer without a model; returns which questions were asked."""
    asked: list[list[str]] = []

    def ask(model: Any, config: Any, prepared: Any, records: Any) -> Generator[int, None, list[Graded]]:
        asked.append([record.prompt for record in records])
        yield len(records)
        return [Graded(r.prompt, r.completion, r.completion, verdict, r.kind) for r in records]

    monkeypatch.setattr(finish, "_ask", ask)
    return asked


def test_of_many_questions_an_even_sample_is_asked(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = graded_as(monkeypatch)
    lab.train({**FULL, "training.int8": False, "data.verify_rows": 4})
    assert asked == [[q for q, _ in lab.VALID], [lab.TRAIN[i][0] for i in (0, 3, 6, 9)]]


def test_how_far_the_questions_have_come(lab: Lab) -> None:
    events = lab.train(FULL)
    (verified,) = lab.of(Verified, events)
    total = sum(part["total"] for part in verified.parts.values())
    told = [(e.task, e.done, e.total) for e in lab.of(Progress, events)]
    pairs = 2 * len(lab.VALID)
    assert told == [("reading", 0, 0)] + [("comparing", n, pairs) for n in range(1, pairs + 1)] + [
        ("verifying", n, total) for n in range(1, total + 1)
    ]


def test_no_verification_where_none_is_wanted(lab: Lab) -> None:
    events = lab.train({**FULL, "data.verify_rows": 0, "training.int8": False})
    assert not lab.of(Verified, events)
    assert "verifying" not in [state.state for state in lab.of(State, events)]
    assert "exact" not in read_report(lab)


def test_kinds_of_questions_are_told_apart(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    graded_as(monkeypatch)
    rows = [{"prompt": f"问{i}", "completion": "答", "kind": "out" if i < 2 else "in"} for i in range(5)]
    (lab.folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (verified,) = lab.of(Verified, lab.train({**FULL, "training.int8": False, "tokenizer.vocab_size": 260}))
    kinds = verified.parts["train"]["by_kind"]
    assert {kind: part["total"] for kind, part in kinds.items()} == {"in": 3, "out": 2}
    assert "by_kind" not in verified.parts["valid"]


def test_plain_text_has_no_questions(lab: Lab) -> None:
    (lab.folder / "text.txt").write_text("鲸是生活在海里的哺乳动物。\n" * 20, encoding="utf-8")
    text = {"data.train": str(lab.folder / "text.txt"), "data.valid": None, "data.template": "plain"}
    events = lab.train({**FULL, **text, "data.probes": [], "tokenizer.vocab_size": 265})
    assert not lab.of(Verified, events)
    (quantized,) = lab.of(Quantized, events)
    assert (quantized.questions, quantized.agreement, quantized.tokens_per_second) == (0, 1.0, 0.0)
    assert isinstance(events[-1], Finished)


# -- int8 ---------------------------------------------------------------------------------------------------


def test_int8_checkpoint_and_its_figures(lab: Lab) -> None:
    events = lab.train(FULL)
    (quantized,) = lab.of(Quantized, events)
    folder = lab.run().checkpoints / "int8"
    assert [Path(saved.path) for saved in lab.of(Saved, events) if saved.tag == "int8"] == [folder]
    checkpoint.verify(folder)
    assert is_quantized(read_safetensors(folder / "model.safetensors"))
    assert quantized.bytes == (folder / "model.safetensors").stat().st_size
    full = lab.run().checkpoints / "step-00000012" / "model.safetensors"
    assert quantized.fp32_bytes == full.stat().st_size
    assert quantized.bytes < 0.45 * quantized.fp32_bytes
    assert quantized.questions == len(lab.VALID)
    assert 0.0 <= quantized.agreement <= 1.0
    assert quantized.tokens_per_second > 0
    assert quantized.fp32_tokens_per_second > 0
    report = read_report(lab)["int8"]
    assert report["agreement"] == quantized.agreement
    assert set(report) == {
        "bytes", "fp32_bytes", "agreement", "questions", "tokens_per_second", "fp32_tokens_per_second",
    }  # fmt: skip
    assert lab.run().load("int8").step == 12


def test_agreement_is_the_share_of_equal_answers(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def ask(model: Any, config: Any, prepared: Any, records: Any) -> Generator[int, None, list[Graded]]:
        yield len(records)
        seen.append(model)
        other = len(seen) == 2
        answers = ["b" if other and i == 0 else "a" for i in range(len(records))]
        return [Graded(r.prompt, "", text, "MISS") for r, text in zip(records, answers, strict=True)]

    monkeypatch.setattr(finish, "_ask", ask)
    events = lab.train({**FULL, "data.verify_rows": 0})
    (quantized,) = lab.of(Quantized, events)
    assert quantized.agreement == pytest.approx(2 / 3)
    assert len({id(model) for model in seen}) == 2


def test_no_int8_where_none_is_wanted(lab: Lab) -> None:
    events = lab.train({**FULL, "training.int8": False})
    assert not lab.of(Quantized, events)
    assert not (lab.run().checkpoints / "int8").exists()
    assert "int8" not in read_report(lab)


# -- a broken disk (a full one is waited for: test_full_disk.py) ----------------------------------------------


def broken_disk(*_: Any, **__: Any) -> Any:
    raise OSError(errno.EIO, "Input/output error")


def test_an_int8_checkpoint_that_cannot_be_written_is_told_and_the_rest_goes_on(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = checkpoint.save

    def patched(folder: Path, *rest: Any) -> int:
        return broken_disk() if folder.name == "int8" else save(folder, *rest)

    monkeypatch.setattr(checkpoint, "save", patched)
    events = lab.train(FULL)
    notices = [notice.text for notice in lab.of(Notice, events) if notice.level == "warning"]
    assert len(notices) == 1
    assert notices[0].startswith("int8 checkpoint not written: ")
    assert "Input/output error" in notices[0]
    assert lab.of(Verified, events)
    assert "int8" not in read_report(lab)
    assert isinstance(events[-1], Finished)


def test_a_report_that_cannot_be_written_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.runs.write_json", broken_disk)
    events = lab.train({**FULL, "training.int8": False})
    notices = [notice.text for notice in lab.of(Notice, events) if notice.level == "warning"]
    assert len(notices) == 1
    assert notices[0].startswith("report.json not written: ")
    assert isinstance(events[-1], Finished)
    assert not (lab.run().path / "report.json").exists()


def test_data_that_changes_meanwhile_costs_the_verification_and_nothing_else(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_: Any) -> Generator[int, None, list[Graded]]:
        raise DataError("{path}: has changed", path="rows.jsonl")
        yield 0

    monkeypatch.setattr(finish, "_ask", ask)
    events = lab.train({**FULL, "training.int8": False})
    (notice,) = [event for event in lab.of(Notice, events) if event.template.startswith("not verified")]
    assert str(notice.values["problem"]) == "rows.jsonl: has changed"
    assert isinstance(events[-1], Finished)
    report = read_report(lab)
    assert report["steps"] == 12
    assert "exact" not in report


def test_the_end_has_begun_before_int8_is_written(lab: Lab) -> None:
    """Nothing is left to pause or to stop, also where the end came early."""
    events = lab.train({**FULL, "training.stop_loss": 100.0})
    states = [event.state for event in events if isinstance(event, State)]
    assert states[-3:] == ["finishing", "verifying", "done"]
    at = events.index(State("finishing", 5))
    assert at < next(i for i, event in enumerate(events) if isinstance(event, Saved) and event.tag == "int8")
