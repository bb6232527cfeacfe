"""Events as JSON and back, the record of a run, and an engine that knows no screen."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
from pathlib import Path
from typing import Any

import pytest

from core.events import KINDS, Changed, Eval, Event, Finished, Notice, Saved, Started, State, Step, from_json
from core.recorder import Recorder
from core.runs import Run

SAMPLES: dict[str, Any] = {
    "str": '什么是 "鲸"？\n',
    "int": 7,
    "float": 0.1 + 0.2,
    "bool": True,
    "dict[str, Any]": {"a": 1, "b": [1.5, None, "字"], "c": {"d": False}},
}


def example(cls: type[Event], *, empty: bool = False) -> Event:
    """An event with a value in every field, or None wherever a field may be None."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        kind = str(field.type)
        if kind.endswith(" | None"):
            values[field.name] = None if empty else SAMPLES[kind.removesuffix(" | None")]
        else:
            values[field.name] = SAMPLES[kind]
    return cls(**values)


def through_json(event: Event) -> Any:
    return from_json(json.loads(json.dumps(event.to_json(), allow_nan=False)))


@pytest.mark.parametrize("kind", KINDS)
def test_json_and_back_is_the_same_event(kind: str) -> None:
    for empty in (False, True):
        event = example(KINDS[kind], empty=empty)
        assert next(iter(event.to_json().items())) == ("kind", kind)
        assert through_json(event) == event


def test_every_event_has_a_kind_of_its_own() -> None:
    assert set(KINDS.values()) == set(Event.__subclasses__())
    assert all(cls.kind == kind for kind, cls in KINDS.items())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_a_number_that_is_none_becomes_null(kind: str, bad: float) -> None:
    cls = KINDS[kind]
    for field in dataclasses.fields(cls):
        if field.type not in ("float", "float | None", "dict[str, Any]"):
            continue
        nested = field.type == "dict[str, Any]"
        event = dataclasses.replace(example(cls), **{field.name: {"a": [bad, 1.0]} if nested else bad})
        written = event.to_json()[field.name]
        assert written == ({"a": [None, 1.0]} if nested else None)
        found = getattr(through_json(event), field.name)
        if nested:
            assert found == {"a": [None, 1.0]}
        else:
            assert found is None if field.type == "float | None" else math.isnan(found)


def test_what_another_version_wrote_is_passed_over_or_read_in_part() -> None:
    assert from_json({"kind": "from the future", "step": 1}) is None
    assert from_json({"step": 1}) is None
    assert from_json({"kind": None}) is None
    assert from_json({"kind": "checkpoint", "step": 1}) is None  # no path
    assert from_json({"kind": "checkpoint", "step": 1, "path": "p", "later": 3}) == Saved(1, "p")
    assert from_json({"kind": ["checkpoint"]}) is None


def test_events_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        State("training").step = 3


def test_a_notice_fills_its_template() -> None:
    assert Notice("{count} of {rows} rows", {"count": 2, "rows": 5}).text == "2 of 5 rows"


# -- metrics.jsonl ------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def lines(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.metrics.read_text(encoding="utf-8").splitlines()]


def step(number: int) -> Step:
    return Step(number, 1.0 / number, 1e-3, 0.5, 100.0, float(number), None)


def test_the_contract_of_the_file(lab: Any) -> None:
    """The names in shared/contract.md: scripts rely on them."""
    lab.train(
        {"training.max_steps": 4, "training.eval_interval": 2, "data.probes": [{"prompt": "鲸？", "expected": "x"}]}
    )
    found: dict[str, dict[str, Any]] = {}
    for line in lines(lab.run()):
        found.setdefault(line["kind"], line)
    contract = {
        "step": {"step": int, "loss": float, "lr": float, "grad_norm": float, "tokens_per_second": float},
        "eval": {"step": int, "loss": float},
        "probe": {"step": int, "prompt": str, "answer": str, "expected": str, "exact": bool},
        "checkpoint": {"step": int, "path": str},
        "finished": {"reason": str, "steps": int, "train_seconds": float},
    }
    for kind, keys in contract.items():
        assert {key: type(found[kind][key]) for key in keys} == keys, kind
    assert isinstance(found["step"]["elapsed"], float)
    assert "eta" in found["step"]
    assert Path(found["checkpoint"]["path"]).is_dir()


def test_the_file_holds_what_was_yielded(lab: Any) -> None:
    events = lab.train({"training.max_steps": 3, "training.eval_interval": 2})
    assert list(lab.run().read_metrics()) == events
    assert isinstance(events[-1], Finished)


def test_an_event_is_in_the_file_before_it_is_yielded(lab: Any) -> None:
    generator = lab.start()
    for event in generator:
        assert list(lab.run().read_metrics())[-1] == event
        if isinstance(event, Step):
            break
    generator.close()


def test_a_number_that_is_none_does_not_break_the_file(run: Run) -> None:
    with Recorder(run) as recorder:
        recorder.write(Eval(3, math.nan))
    assert lines(run)[0] == {"kind": "eval", "step": 3, "loss": None, "best": None, "best_step": 0, "improved": False}


def test_a_full_disk_stops_the_record_not_the_training(run: Run) -> None:
    class FullDisk:
        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            """Nothing is buffered: closing cannot fail for want of room."""

    with Recorder(run) as recorder:
        recorder._lines._file.close()
        recorder._lines._file = FullDisk()
        recorder.write(step(1))


def test_half_a_line_of_a_killed_process_spoils_no_other(run: Run) -> None:
    with Recorder(run) as recorder:
        recorder.write(step(1))
    with open(run.metrics, "ab") as file:
        file.write(b'{"kind":"step","st')
    with Recorder(run) as recorder:
        recorder.write(step(2))
    assert list(run.read_metrics()) == [step(1), step(2)]


def test_forget_after_drops_what_will_happen_again(run: Run) -> None:
    with Recorder(run) as recorder:
        started = example(Started)
        notice = Notice("a notice has no step")
        for event in (started, notice, step(1), step(2), Changed(2, {"training.lr": 1e-4}), step(3), Saved(3, "p")):
            recorder.write(event)
        recorder.write(Finished("user", 3, 1.0))
    with open(run.metrics, "ab") as file:
        file.write(b'[1, 2]\nnot json\n{"kind": "step", "step": "two"}\n{"kind":"step","st')
    with Recorder(run) as recorder:
        recorder.forget_after(2)
        recorder.write(step(3))
    expected = [started, notice, step(1), step(2), Changed(2, {"training.lr": 1e-4}), step(3)]
    assert list(run.read_metrics()) == expected
    assert len(lines(run)) == len(expected)  # and nothing else is left in the file


def test_forget_after_keeps_unknown_events_of_earlier_steps(run: Run) -> None:
    rows = [{"kind": "from the future", "step": 1, "x": "字"}, {"kind": "from the future", "step": 5}]
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with Recorder(run) as recorder:
        recorder.forget_after(3)
    assert lines(run) == rows[:1]


# -- no screen ----------------------------------------------------------------------------------------------


def test_the_engine_needs_no_screen(python: Any) -> None:
    """``import core`` loads no torch and its names are what they seem; the whole engine loads nothing of the
    user interface."""
    code = """
import sys, json
import core
light = sorted({"torch", "numpy", "tokenizers"} & set(sys.modules))
import core.train, core.generate, core.training.finish, core.evaluate, core.doctor, core.runs
screens = ("gpt_tui", "textual", "rich", "click", "plotext")
names = [name for name in core.__all__ if type(getattr(core, name)).__name__ == "module"]
print(json.dumps([light, names, sorted(name for name in sys.modules if name.partition(".")[0] in screens)]))
"""
    output, _ = python(code).communicate(timeout=120)
    assert json.loads(output) == [[], [], []]
