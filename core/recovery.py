"""What a training does when something goes wrong on the way: no room on the disk, no memory, no number.

``train.py`` reads as if nothing ever did; it calls these where something may.
"""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import psutil

from . import checkpoint, machine
from .batches import batches_per_epoch
from .control import Control
from .errors import Phrase, RunError
from .events import Event, Notice, RolledBack, Skipped, State

if TYPE_CHECKING:
    from .train import StepResult, Trainer

T = TypeVar("T")

# -- the disk -----------------------------------------------------------------------------------------------

TRY_AGAIN = 30.0  # seconds between attempts, where nobody asks for one and no room appears
LOOK = 0.25  # seconds between looks at the flags and at the free room
ROOM = 1_000_000  # bytes more than at the failure that are worth an attempt


class Disk:
    """Writes for which a full disk is a pause of the training, not its end."""

    def __init__(self, control: Control, folder: Path, meanwhile: Callable[[], None]) -> None:
        """``meanwhile`` is called several times a second while the training waits."""
        self._control, self._folder, self.meanwhile = control, folder, meanwhile
        self.waited = 0.0
        """Seconds of the training that were spent waiting."""

    def write(self, name: str, write: Callable[[], T], step: int) -> Generator[Event, None, T | None]:
        """Call ``write`` until it succeeds and return what it does; None when a stop was asked for before that.

        While there is no room the training is paused, with the reason in a notice; it tries again when someone
        lets it go on, when there is more room, and every ``TRY_AGAIN`` seconds. Raises any other ``OSError``.
        """
        paused_before, told, begin = self._control.paused, False, time.perf_counter()
        while True:
            try:
                result = write()
                break
            except OSError as problem:
                if not no_room(problem):
                    raise
                reason = reason_of(problem)
            if self._control.stop:
                return None
            if not told or not self._control.paused:  # also when someone asked for an attempt
                yield Notice(
                    "{name} cannot be written: {reason}; the training waits, make room or stop it "
                    "(it tries again every {seconds} s)",
                    {"name": name, "reason": reason, "seconds": round(TRY_AGAIN)},
                    level="warning",
                )
                self._control.pause()
                yield State("paused", step)
                told = True
            self._wait()
        if told:
            self.waited += time.perf_counter() - begin
            if not paused_before:
                self._control.resume()
            yield Notice("{name} is written, there is room again", {"name": name})
            yield State("paused" if self._control.paused else "training", step)
        return result

    def _wait(self) -> None:
        """Until an attempt is worth it, or a stop is asked for."""
        free, end = self._free(), time.monotonic() + TRY_AGAIN
        while time.monotonic() < end and not self._control.stop:
            if self._control.wait_while_paused(LOOK) or self._free() > free + ROOM:
                return
            self.meanwhile()

    def _free(self) -> int:
        return int(psutil.disk_usage(str(self._folder)).free)


def no_room(problem: OSError | None) -> bool:
    """Whether the disk, or the user's share of it, is full."""
    return problem is not None and problem.errno in (errno.ENOSPC, errno.EDQUOT)


def reason_of(problem: OSError) -> str:
    """What the system says, without the path."""
    return problem.strerror or str(problem)


# -- the memory ---------------------------------------------------------------------------------------------


def step_within_memory(
    trainer: Trainer, rows: np.ndarray[Any, np.dtype[np.int64]], lr: float
) -> Generator[Event, None, StepResult]:
    """``trainer.step``; where the memory does not suffice again in pieces of half the size, as often as needed.

    The gradient is the same mean over all tokens of the batch. The smaller pieces stay for the rest of the run.
    Raises ``RunError`` when one row at a time is still too much.
    """
    while True:
        try:
            return trainer.step(rows, lr)
        except (MemoryError, RuntimeError) as problem:
            if not machine.is_out_of_memory(problem):
                raise
        # Behind the handler: what was raised holds the frames, and those the tensors, of the failed step.
        for parameter in trainer.model.parameters():
            parameter.grad = None
        machine.give_back_memory()
        size = min(trainer.micro_batch() or len(rows), len(rows))
        if size == 1:
            raise out_of_memory()
        trainer.progress.micro_batch = -(-size // 2)
        yield Notice(
            "the memory is used up at step {step}: from here on {rows} rows are computed at once instead of {before}; "
            "the result is the same",
            {"step": trainer.progress.step + 1, "rows": trainer.progress.micro_batch, "before": size},
            level="warning",
        )


def out_of_memory() -> RunError:
    return RunError(
        "the memory is used up ({free} of {total} MB are free); choose a smaller model.seq_len, model.n_embd or "
        "training.micro_batch, or end other programs; --resume goes on from the newest checkpoint",
        free=psutil.virtual_memory().available // 2**20,
        total=psutil.virtual_memory().total // 2**20,
    )


# -- the numbers --------------------------------------------------------------------------------------------

BAD_STEPS_BEFORE_ROLLBACK = 3
#: A gradient this many times as long as usual, and longer than this, has exploded. Clipping would make a step of
#: ordinary length of it, in a direction that means nothing. Of the teacher recipe none is twice as long as usual.
EXPLODED, EXPLODED_FROM = 1000.0, 100.0
USUAL = 0.98  # memory of the running mean of lengths: some 50 steps


def fault_of(loss: float, norm: float, usual: float) -> str:
    """What is wrong with a step: 'loss', 'gradient' (no finite number), 'exploded', or '' for nothing.

    ``usual`` is the running mean of gradient lengths, 0 while none is known.
    """
    if not math.isfinite(loss):
        return "loss"
    if not math.isfinite(norm):
        return "gradient"
    return "exploded" if usual and norm > max(EXPLODED_FROM, EXPLODED * usual) else ""


def usual_length(usual: float, norm: float) -> float:
    """The running mean of gradient lengths with one more."""
    return USUAL * usual + (1.0 - USUAL) * norm if usual else norm


def skip_or_go_back(trainer: Trainer, result: StepResult) -> Iterator[Event]:
    """After a bad step: on to other rows; after three in a row back to the last checkpoint at half the rate.

    Raises ``RunError`` saying what was found when going back once has not helped.
    """
    progress, training = trainer.progress, trainer.config.training
    progress.skipped += 1
    progress.skipped_in_a_row += 1
    yield Skipped(progress.step, progress.skipped, result.fault)
    if progress.skipped_in_a_row < BAD_STEPS_BEFORE_ROLLBACK:
        # The same rows would fail for ever.
        progress.batch += 1
        if progress.batch >= batches_per_epoch(len(trainer.prepared.train), training.batch_size):
            progress.epoch, progress.batch = progress.epoch + 1, 0
        return
    if progress.rollbacks:
        raise RunError(
            "{what} at step {step}, also after going back once at half the learning rate; try a lower training.lr "
            "(now {lr}), training.dtype=fp32, or look at the data with gpt-tui doctor",
            what=_diagnosis(result, progress.usual_norm),
            step=progress.step,
            lr=training.lr,
        )
    failed_at, skipped = progress.step, progress.skipped
    if checkpoint.step_checkpoints(trainer.path.checkpoints):
        yield from trainer.restore()
    else:
        trainer.begin_again()
    trainer.progress.lr_scale, trainer.progress.rollbacks, trainer.progress.skipped = 0.5, 1, skipped
    trainer.progress.skipped_in_a_row = 0
    # The time is gone, whatever the steps were good for; and the best checkpoint is still the best.
    trainer.progress.elapsed = progress.elapsed
    trainer.progress.best_loss, trainer.progress.best_step = progress.best_loss, progress.best_step
    yield RolledBack(failed_at, trainer.progress.step, 0.5)
    # Or a kill before the next checkpoint would forget it, and run into the same wall at the same rate.
    yield from trainer.save()


def _diagnosis(result: StepResult, usual: float) -> Phrase:
    if result.fault == "loss":
        return Phrase("the loss is not a number")
    if result.fault == "gradient":
        return Phrase("the loss is {loss:.3g}, but its gradient is not a number",
                      loss=result.loss_sum / max(1, result.supervised))  # fmt: skip
    return Phrase("the gradient exploded, its length is {norm:.3g} instead of about {usual:.3g}",
                  norm=result.grad_norm, usual=usual)  # fmt: skip
