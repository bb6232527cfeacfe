"""What a training does by itself when a step fails: no memory, or a number that is none."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
import numpy.typing as npt
import psutil

from .. import checkpoint, machine
from ..errors import RunError
from ..events import Event, Notice, RolledBack, Skipped
from .begin import begin_again, restore
from .result import StepResult, diagnosis
from .saving import save
from .trainer import Trainer

BAD_STEPS_BEFORE_ROLLBACK = 3


def step_within_memory(trainer: Trainer, rows: npt.NDArray[np.int64], lr: float) -> Generator[Event, None, StepResult]:
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
            if trainer.updating:  # smaller pieces would not help, and the step cannot be made again
                raise out_of_memory() from None
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
    """What to say when nothing helps, with what is free now."""
    return RunError(
        "the memory is used up ({free} of {total} MB are free); choose a smaller model.seq_len, model.n_embd or "
        "training.micro_batch, or end other programs; --resume goes on from the newest checkpoint",
        free=psutil.virtual_memory().available // 2**20,
        total=psutil.virtual_memory().total // 2**20,
    )


def skip_or_go_back(trainer: Trainer, result: StepResult) -> Iterator[Event]:
    """After a bad step: on to other rows; after three in a row back to the last checkpoint at half the rate.

    Raises ``RunError`` saying what was found when going back once has not helped.
    """
    progress = trainer.progress
    progress.skipped += 1
    progress.skipped_in_a_row += 1
    yield Skipped(progress.step, progress.skipped, result.fault)
    if progress.skipped_in_a_row < BAD_STEPS_BEFORE_ROLLBACK:
        # The same rows would fail for ever.
        progress.next_batch(trainer.per_epoch())
        return
    if progress.rollbacks:
        raise RunError(
            "{what} at step {step}, also after going back once at half the learning rate; try a lower training.lr "
            "(now {lr}), training.dtype=fp32, or look at the data with gpt-tui doctor",
            what=diagnosis(result, progress.usual_norm),
            step=progress.step,
            lr=trainer.config.training.lr,
        )
    failed_at, skipped = progress.step, progress.skipped
    if checkpoint.step_checkpoints(trainer.run.checkpoints):
        yield from restore(trainer)
    else:
        begin_again(trainer)
    trainer.progress.lr_scale, trainer.progress.rollbacks, trainer.progress.skipped = 0.5, 1, skipped
    trainer.progress.skipped_in_a_row = 0
    # The time is gone, whatever the steps were good for; and the best checkpoint is still the best.
    trainer.progress.elapsed = progress.elapsed
    trainer.progress.best_loss, trainer.progress.best_step = progress.best_loss, progress.best_step
    trainer.pace.restart()
    yield RolledBack(failed_at, trainer.progress.step, 0.5)
    # Or a kill before the next checkpoint would forget it, and run into the same wall at the same rate.
    yield from save(trainer)
