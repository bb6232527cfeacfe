"""Further training: another run's weights and vocabulary, its architecture, on other data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from core import checkpoint
from core.errors import CheckpointError, ConfigError, RunError
from core.events import Notice, Started
from core.start import load_start, settings_from
from core.tokenizer import Tokenizer

if TYPE_CHECKING:
    from .conftest import Lab

OTHER = [("什么是潮汐？", "海水的涨落。"), ("什么是灯塔？", "给船引路的灯。"), ("鲸是鱼吗？", "鲸不是鱼。")]


@pytest.fixture
def further(lab: Lab) -> dict[str, Any]:
    """Settings of a run that goes on from a short one, on other rows."""
    lab.ready({"training.int8": True}, "first")
    folder = checkpoint.newest(lab.run("first").checkpoints)[0]
    lab.write("other.jsonl", OTHER)
    return {"training.start_from": str(folder), "data.train": str(lab.folder / "other.jsonl"), "data.valid": None,
            "data.valid_fraction": 0.0}  # fmt: skip


def test_it_begins_with_the_weights_and_the_vocabulary(lab: Lab, further: dict[str, Any]) -> None:
    first = lab.run("first").load()
    events = lab.train(further | {"training.max_steps": 1, "training.lr": 1e-7, "training.min_lr": 0.0}, "second")
    second = lab.run("second").load()
    assert second.tokenizer.to_json() == first.tokenizer.to_json()
    assert lab.of(Started, events)[0].vocab_size == first.tokenizer.vocab_size
    for (name, one), other in zip(
        first.model.state_dict().items(), second.model.state_dict().values(), strict=True
    ):  # fmt: skip
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0, msg=name)
    said = [event.text for event in lab.of(Notice, events)]
    assert "beginning with the weights of first, step-00000008 (step 8)" in said


def test_it_is_recorded_in_settings_report_and_checkpoint(lab: Lab, further: dict[str, Any]) -> None:
    lab.train(further | {"training.max_steps": 2}, "second")
    run = lab.run("second")
    assert run.config().training.start_from == further["training.start_from"]
    report = run.report()
    assert report is not None
    digest = checkpoint.verify(lab.run("first").checkpoints / "step-00000008")["files"]["model.safetensors"]["sha256"]
    assert report["start"] == {"run": "first", "checkpoint": "step-00000008", "step": 8, "sha256": digest}
    assert report["settings"]["training"]["start_from"] == further["training.start_from"]
    state, _, _ = checkpoint.load(checkpoint.newest(run.checkpoints)[0])
    assert state["start"] == report["start"]


def test_a_resume_goes_on_from_its_own_weights(lab: Lab, further: dict[str, Any]) -> None:
    settings = further | {"training.save_interval": 2, "training.max_steps": 6}
    lab.train(settings, "whole")
    lab.cut_short(settings, "cut", lambda event: event.kind == "checkpoint" and event.to_json()["step"] == 4)
    events = lab.resume("cut")
    assert lab.of(Started, events)[0].resumed_step == 4
    assert lab.trace("cut") == lab.trace("whole")
    assert (lab.run("cut").report() or {})["start"]["run"] == "first"


def test_a_resume_before_the_first_checkpoint_begins_there_again(lab: Lab, further: dict[str, Any]) -> None:
    lab.train(further, "whole")
    lab.cut_short(further, "cut", lambda event: event.kind == "step")
    lab.resume("cut")
    assert lab.trace("cut") == lab.trace("whole")


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"model.n_layer": 3}, "model.n_layer: 3 does not fit"),
        ({"model.norm": "layernorm"}, "which has rmsnorm: further training keeps the architecture"),
        ({"model.tie_embeddings": False}, "model.tie_embeddings"),
    ],
)
def test_another_architecture_is_refused(
    lab: Lab, further: dict[str, Any], changes: dict[str, Any], part: str
) -> None:  # fmt: skip
    with pytest.raises(ConfigError, match=part):
        load_start(lab.config(further | changes), lab.folder)


def test_dropout_and_where_no_weight_depends_on_it_the_context_may_differ(lab: Lab, further: dict[str, Any]) -> None:
    start = load_start(lab.config(further | {"model.dropout": 0.2, "model.seq_len": 96}), lab.folder)
    assert start is not None
    assert start.about["run"] == "first"


def test_int8_weights_are_refused(lab: Lab, further: dict[str, Any]) -> None:
    folder = lab.run("first").checkpoints / "int8"
    with pytest.raises(CheckpointError, match="int8 weights cannot be trained further"):
        load_start(lab.config(further | {"training.start_from": str(folder)}), lab.folder)


def test_what_is_no_checkpoint_is_one_line(lab: Lab) -> None:
    with pytest.raises(RunError, match=r"no run '.*none' in "):
        load_start(lab.config({"training.start_from": str(lab.folder / "none")}), lab.folder)
    assert load_start(lab.config(), lab.folder) is None


def test_a_run_may_be_named(lab: Lab, further: dict[str, Any]) -> None:
    """As with --from: a form knows runs by their names."""
    for name, which in (("first", None), ("first:best", "best"), (str(lab.run("first").path), None)):
        start = load_start(lab.config(further | {"training.start_from": name}), lab.run("first").path.parent)
        assert start is not None
        assert start.about["run"] == "first"
        assert start.about["checkpoint"].startswith(which or "step-")


def test_settings_take_over_architecture_and_vocabulary_only(lab: Lab, bpe: Tokenizer) -> None:
    del bpe
    source = lab.config({"model.n_embd": 48, "tokenizer.vocab_size": 333, "training.lr": 1e-4})
    wanted = lab.config({"model.dropout": 0.3, "training.lr": 2e-4, "data.template": "plain"})
    found = settings_from(source, wanted, lab.folder)
    assert found.model == source.model.model_copy(update={"dropout": 0.3})
    assert found.tokenizer == source.tokenizer
    assert found.data == wanted.data
    assert (found.training.lr, found.training.start_from) == (2e-4, str(lab.folder.absolute()))
