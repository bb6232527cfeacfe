"""Which checkpoints a training leaves, and what they say."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
import torch

from core import checkpoint
from core.config import Config
from core.default import Default, write_default
from core.events import Notice, Saved, Step
from core.runs import load_run
from core.weights_file import read_safetensors

from .tricks import script

Lab = Any


def test_old_checkpoints_go_and_the_best_stays(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, [1.0, 2.0])
    changes = {"training.save_interval": 1, "training.eval_interval": 2, "training.keep_checkpoints": 3}
    lab.train(changes)
    names = sorted(path.name for path in lab.run().checkpoints.iterdir())
    assert names == ["best", "step-00000006", "step-00000007", "step-00000008"]
    assert lab.run().load("best").step == 2


def test_a_checkpoint_describes_itself(lab: Lab) -> None:
    lab.train({"training.dtype": "bf16"})
    folder = lab.run().checkpoints / "step-00000008"
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    assert Config.from_dict(state["config"]) == lab.run().config()
    assert (state["step"], state["dtype"], state["device"]) == (8, "bf16", "cpu")
    assert set(state["data_sha256"]) == {"train.jsonl", "valid/valid.jsonl"}
    assert state["torch"] == torch.__version__
    assert state["code"]
    weights = read_safetensors(folder / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}  # the master, whatever it computed with
    assert lab.run().load().tokenizer.fingerprint() == state["tokenizer_sha256"]


def test_a_folder_that_was_removed_is_a_run_again(lab: Lab) -> None:
    """With its settings and vocabulary, held by this training, and with a record from there on."""
    run, events, held = lab.run(), [], []
    for event in lab.start({"training.save_interval": 4}):
        events.append(event)
        if isinstance(event, Step) and event.step == 5:
            shutil.rmtree(run.path)
        if isinstance(event, Saved) and event.tag == "last":
            held.append(run.lock.is_held())
    (notice,) = [event for event in lab.of(Notice, events) if "removed" in event.template]
    assert (notice.level, notice.values["run"]) == ("warning", str(run.path))
    assert held == [True, True]
    assert run.load().step == 8
    assert run.state() == "finished"
    assert run.tokenizer_file.is_file()
    assert [event.step for event in run.read_metrics() if isinstance(event, Step)] == [6, 7, 8]


def test_the_default_checkpoint_stays(lab: Lab) -> None:
    """The one that answers where no run is named, whatever the training goes on to."""
    lab.ready({"training.max_steps": 4, "training.save_interval": 1, "training.keep_checkpoints": 1})
    run = lab.run()
    write_default(run.path.parent, Default(run.name, "step-00000004"))
    lab.resume(config=run.config().update({"training.max_steps": 8}))
    assert [path.name for path in checkpoint.step_checkpoints(run.checkpoints)] == ["step-00000008", "step-00000004"]
    assert load_run(runs_dir=str(run.path.parent)).step == 4
