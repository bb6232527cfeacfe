"""What TensorBoard's own reader finds in a run: every figure of ``metrics.jsonl``, once, whatever was interrupted."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from core import event_files
from core.errors import UserError
from core.event_files import EventFiles
from core.events import Eval, Event, Probe, Sample, Saved, Started, Step, Verified

if TYPE_CHECKING:
    from .conftest import Lab

SETTINGS = {
    "training.tensorboard": True, "training.max_steps": 8, "training.eval_interval": 4, "training.save_interval": 3,
    "data.probes": [{"prompt": "什么？", "expected": "鲸"}], "data.start_context": "从前",
}  # fmt: skip


def opened(folder: Path) -> EventAccumulator:
    reader = EventAccumulator(str(folder / "tensorboard"), size_guidance={"tensors": 0})
    reader.Reload()
    return reader


def scalars(reader: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(item.step, float(make_ndarray(item.tensor_proto))) for item in reader.Tensors(tag)]


def texts(reader: EventAccumulator, tag: str) -> list[tuple[int, str]]:
    return [(item.step, item.tensor_proto.string_val[0].decode()) for item in reader.Tensors(tag)]


def assert_all_there(lab: Lab, name: str) -> None:
    """Reader and ``metrics.jsonl`` agree, to the precision of fp32 that the format has."""
    reader = opened(lab.run(name).path)
    events = list(lab.run(name).read_metrics())
    wanted: dict[str, list[tuple[int, float]]] = {}
    for event in events:
        if isinstance(event, Step):
            for tag, value in (("loss/train", event.loss), ("training/lr", event.lr),
                               ("training/grad_norm", event.grad_norm),
                               ("training/tokens_per_second", event.tokens_per_second)):  # fmt: skip
                wanted.setdefault(tag, []).append((event.step, value))
        elif isinstance(event, Eval):
            wanted.setdefault("loss/valid", []).append((event.step, event.loss))
    assert set(reader.Tags()["tensors"]) == {*wanted, "settings", "sample", "probes/什么？"}
    for tag, pairs in wanted.items():
        found = scalars(reader, tag)
        assert [step for step, _ in found] == [step for step, _ in pairs], tag
        assert [value for _, value in found] == pytest.approx([value for _, value in pairs], rel=1e-6), tag
    probes = [(event.step, f"✗ {event.answer}") for event in events if isinstance(event, Probe)]
    assert texts(reader, "probes/什么？") == probes
    samples = [(event.step, f"**从前**{event.text}") for event in events if isinstance(event, Sample)]
    assert texts(reader, "sample") == samples


def test_every_figure_is_there_once_also_after_a_resume(lab: Lab) -> None:
    lab.train(SETTINGS, "whole")
    assert_all_there(lab, "whole")
    assert len(lab.of(Step, lab.run("whole").read_metrics())) == 8
    # Killed two steps beyond its last checkpoint, at 3: these steps happen twice.
    lab.cut_short(SETTINGS, "cut", lambda event: isinstance(event, Step) and event.step == 5)
    assert [step for step, _ in scalars(opened(lab.run("cut").path), "loss/train")] == [1, 2, 3, 4, 5]
    lab.resume("cut")
    assert_all_there(lab, "cut")
    files = sorted((lab.run("cut").path / "tensorboard").iterdir())
    assert [file.name[-4:] for file in files] == ["0000", "0001"]
    first, second = (opened(lab.run(name).path) for name in ("whole", "cut"))
    assert scalars(first, "loss/train") == scalars(second, "loss/train")
    assert "tensorboard: true" in texts(second, "settings")[-1][1]


def test_a_run_may_begin_to_record_when_it_goes_on(lab: Lab) -> None:
    lab.cut_short({**SETTINGS, "training.tensorboard": False}, "run", lambda event: isinstance(event, Saved))
    assert not (lab.run().path / "tensorboard").exists()
    lab.resume("run", lab.run().config().update({"training.tensorboard": True}))
    steps = [step for step, _ in scalars(opened(lab.run().path), "loss/train")]
    assert steps == [4, 5, 6, 7, 8]
    assert lab.run().config().training.tensorboard


def test_rates_and_texts_of_any_kind(lab: Lab) -> None:
    config = lab.config({"training.tensorboard": True})
    events: list[Event] = [
        Started("a", "runs/a", "x", 0, "cpu", 1, "fp32", 1, 300, 8, None),
        Probe(1, "\ud800<b>", "\x1b[31m", None, False),
        Step(2, float("nan"), 1e-3, float("inf"), 1.0, 1.0, None),
        Verified(3, {"valid": {"exact_rate": 0.25}}),
    ]
    with EventFiles(lab.folder / "tensorboard", config) as files:
        for event in events:
            files.write(event)
    reader = opened(lab.folder)
    assert scalars(reader, "exact/valid") == [(3, 0.25)]
    assert texts(reader, "probes/\ufffd<b>") == [(1, " \x1b[31m")]
    ((step, loss),) = scalars(reader, "loss/train")
    assert (step, math.isnan(loss)) == (2, True)


def test_a_full_disk_does_not_stop_the_training(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tensorboard.summary.writer.record_writer.RecordWriter.write", full)
    assert len(lab.of(Step, lab.train(SETTINGS))) == 8


def test_without_tensorboard_one_line_before_anything_is_made(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^tensorboard is not installed; to have it: pip install tensorboard;"):
        lab.train(SETTINGS)
    assert not lab.run().path.exists()


def test_neither_tensorflow_nor_a_writer_of_torch_is_loaded() -> None:
    assert "tensorflow" not in sys.modules
    assert "torch.utils.tensorboard" not in sys.modules
