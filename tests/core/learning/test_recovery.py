"""No memory, no number: what a training does about it by itself, and what it says when that does not help."""

from __future__ import annotations

import errno
import itertools
from typing import Any

import pytest
import torch

from core.errors import ConfigError, DataError, RunError
from core.events import Notice, RolledBack, Skipped, Started, Step
from core.machine import is_out_of_memory
from core.model import GPT
from core.optim import Optimizer
from core.training.disk import no_room
from core.training.result import fault_of, usual_length

Lab = Any
#: What torch and Python raise when there is no memory.
NO_MEMORY = [
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
                 "to allocate 4398046511104 bytes. Error code 12 (Cannot allocate memory)"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
]  # fmt: skip


# -- the memory ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", NO_MEMORY, ids=["Python", "CPU", "CUDA"])
def test_what_is_out_of_memory(error: BaseException) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("shapes cannot be multiplied"), ValueError("out of memory"), OSError()])
def test_what_is_not(error: BaseException) -> None:
    assert not is_out_of_memory(error)


def test_torch_still_says_it_like_this() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**50)
    assert is_out_of_memory(raised.value)


def room_for(monkeypatch: pytest.MonkeyPatch, rows: int, error: BaseException) -> list[int]:
    """Let the backward pass of more than so many rows fail; returns the rows of each pass."""
    loss_sum, passes = GPT.loss_sum, []

    def patched(self: GPT, inputs: torch.Tensor, targets: torch.Tensor, *more: torch.Tensor | None) -> torch.Tensor:
        loss = loss_sum(self, inputs, targets, *more)
        if self.training:
            passes.append(len(inputs))
            if len(inputs) > rows:
                # In the backward pass, with the gradients of half the model already there.
                self.blocks[0].mlp.up.weight.register_hook(fail)
        return loss

    def fail(gradient: torch.Tensor) -> torch.Tensor:
        if passes[-1] > rows:
            raise error
        return gradient

    monkeypatch.setattr(GPT, "loss_sum", patched)
    return passes


@pytest.mark.parametrize("error", NO_MEMORY, ids=["Python", "CPU", "CUDA"])
def test_the_step_is_done_again_in_smaller_pieces(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Batches of 4 rows in pieces of 1: the same training as one that was told to from the beginning."""
    lab.train({"training.micro_batch": 1}, "small")
    passes = room_for(monkeypatch, 1, error)
    events = lab.train({}, "large")
    assert passes[:8] == [4, 2, 1, 1, 1, 1, 1, 1]
    assert lab.trace("large") == lab.trace("small")
    assert [notice.text for notice in lab.of(Notice, events) if "memory" in notice.text] == [
        f"the memory is used up at step 1: from here on {rows} rows are computed at once instead of {before}; "
        "the result is the same"
        for rows, before in ((2, 4), (1, 2))
    ]


def test_the_gradient_is_the_same(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mean over the tokens of the batch, to rounding."""
    lab.train({}, "whole")
    room_for(monkeypatch, 3, MemoryError())
    lab.train({}, "pieces")
    for one, other in zip(lab.trace("whole"), lab.trace("pieces"), strict=True):
        assert one[:2] == other[:2]
        assert other[2:5] == pytest.approx(one[2:5], rel=1e-4)


def test_smaller_pieces_survive_a_resume(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another order of additions would be another training, in the last bits."""
    changes = {"training.save_interval": 2, "training.max_steps": 6}
    with monkeypatch.context() as patch:
        room_for(patch, 2, MemoryError())
        lab.train(changes, "straight")
        lab.cut_short(changes, "killed", lambda event: isinstance(event, Step) and event.step == 5)
    events = lab.resume("killed")
    assert lab.of(Started, events)[0].resumed_step == 4
    assert lab.trace("killed") == lab.trace("straight")


def test_one_row_too_many_is_a_clear_failure(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    room_for(monkeypatch, 0, MemoryError())
    _, error = lab.failing({})
    assert isinstance(error, RunError)
    assert str(error).startswith("the memory is used up (")
    assert "training.micro_batch" in str(error)
    assert lab.run().state() != "running"


def test_no_memory_in_the_midst_of_an_update_ends_the_training(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some weights have changed then: the same step once more would change those twice."""
    step, calls = Optimizer.step, itertools.count(1)

    def update(self: Optimizer, lr: float) -> None:
        step(self, lr)
        if next(calls) == 6:
            raise MemoryError

    monkeypatch.setattr(Optimizer, "step", update)
    _, error = lab.failing({"training.save_interval": 2})
    assert str(error).startswith("the memory is used up (")
    assert lab.run().load().step == 4


def test_no_memory_elsewhere_is_a_clear_failure_too(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate(*_: Any) -> float:
        raise NO_MEMORY[1]

    monkeypatch.setattr("core.training.validation.evaluate_loss", evaluate)
    _, error = lab.failing({"training.eval_interval": 2, "training.save_interval": 1})
    assert str(error).startswith("the memory is used up (")
    assert lab.run().load().step == 1


def test_another_fault_is_not_taken_for_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    room_for(monkeypatch, 1, RuntimeError("a fault of the program"))
    with pytest.raises(RuntimeError, match="a fault of the program"):
        lab.train({})


# -- the numbers --------------------------------------------------------------------------------------------

INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("loss", "norm", "usual", "fault"),
    [
        (2.0, 1.0, 1.0, ""),
        (NAN, 1.0, 1.0, "loss"),
        (INF, NAN, 1.0, "loss"),
        (2.0, INF, 1.0, "gradient"),
        (2.0, NAN, 0.0, "gradient"),
        (2.0, 1e30, 0.0, ""),  # the first step: nothing is usual yet
        (2.0, 999.0, 1.0, ""),
        (2.0, 1001.0, 1.0, "exploded"),
        (2.0, 50.0, 1e-6, ""),  # of a model that knows all by heart and is surprised once
        (2.0, 101.0, 1e-6, "exploded"),
    ],
)
def test_faults_of_a_step(loss: float, norm: float, usual: float, fault: str) -> None:
    assert fault_of(loss, norm, usual) == fault


def test_the_usual_length_is_a_running_mean() -> None:
    usual = 0.0
    for norm in [4.0] * 3 + [2.0] * 200:
        usual = usual_length(usual, norm)
    assert usual == pytest.approx(2.0, abs=0.05)
    assert usual_length(0.0, 4.0) == 4.0


def explode(monkeypatch: pytest.MonkeyPatch, calls: range) -> None:
    loss_sum, count = GPT.loss_sum, iter(range(1, 10_000))

    def patched(self: GPT, inputs: torch.Tensor, targets: torch.Tensor, *more: torch.Tensor | None) -> torch.Tensor:
        loss = loss_sum(self, inputs, targets, *more)
        return loss + 1e6 * (loss - loss.detach()) if self.training and next(count) in calls else loss

    monkeypatch.setattr(GPT, "loss_sum", patched)


def test_an_exploded_gradient_is_skipped_and_counted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    explode(monkeypatch, range(4, 6))
    events = lab.train({})
    assert [(skip.step, skip.total, skip.fault) for skip in lab.of(Skipped, events)] == [
        (3, 1, "exploded"), (3, 2, "exploded"),
    ]  # fmt: skip
    assert not lab.of(RolledBack, events)
    assert max(step.grad_norm for step in lab.of(Step, events)) < 100.0


def test_gradients_that_keep_exploding_end_with_a_diagnosis(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    explode(monkeypatch, range(4, 10_000))
    events, error = lab.failing({"training.save_interval": 2})
    (back,) = lab.of(RolledBack, events)
    assert (back.step, back.to_step, back.lr_scale) == (3, 2, 0.5)
    text = str(error)
    assert text.startswith("the gradient exploded, its length is ")
    assert "at step 2, also after going back once at half the learning rate; try a lower training.lr (now" in text


# -- nothing learnt -----------------------------------------------------------------------------------------


def test_a_run_that_cannot_begin_leaves_no_folder(lab: Lab) -> None:
    (lab.folder / "train.jsonl").write_text("{\n")
    with pytest.raises(DataError):
        lab.train({})
    assert not lab.run().path.exists()
    lab.write("train.jsonl", lab.TRAIN)
    assert lab.train({})[-1].reason == "max_steps"  # under the same name


def test_a_run_on_a_device_that_is_not_there_leaves_no_folder(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(wanted: str) -> str:
        raise ConfigError("training.device: {wanted}", wanted=wanted)

    monkeypatch.setattr("core.machine.choose_device", refuse)
    with pytest.raises(ConfigError):
        lab.train({})
    assert not lab.run().path.exists()


def test_a_folder_that_was_there_before_stays(lab: Lab) -> None:
    lab.run().path.mkdir()
    (lab.run().path / "notes.txt").write_text("mine")
    (lab.folder / "train.jsonl").write_text("{\n")
    with pytest.raises(DataError):
        lab.train({})
    assert (lab.run().path / "notes.txt").read_text() == "mine"


def test_no_room_is_a_full_disk_or_a_used_up_share_of_it() -> None:
    assert no_room(OSError(errno.ENOSPC, "")) and no_room(OSError(errno.EDQUOT, ""))
    assert not no_room(OSError(errno.EACCES, "")) and not no_room(None)
