"""How much of a training is done, and why it ends."""

from __future__ import annotations

import math

from .trainer import Trainer


def total_steps(trainer: Trainer) -> int | None:
    """Optimizer steps that the settings allow; None when only time limits them."""
    training = trainer.config.training
    limits = [] if training.max_steps is None else [training.max_steps]
    if training.max_epochs is not None:
        # Rounded: 1.1 * 50 is a little more than 55 in binary numbers, and no reason for a 56th step.
        limits.append(max(1, math.ceil(round(training.max_epochs * trainer.per_epoch(), 6))))
    return min(limits, default=None)


def done_share(trainer: Trainer, ahead: float = 0.0) -> float:
    """0..1 of the budget used, of steps or of minutes, whichever is further; ``ahead`` in steps."""
    total, minutes = total_steps(trainer), trainer.config.training.max_minutes
    by_steps = (trainer.progress.step + ahead) / total if total else 0.0
    by_time = trainer.progress.elapsed / (60.0 * minutes) if minutes else 0.0
    return min(1.0, max(by_steps, by_time))


def why_end(trainer: Trainer) -> str:
    """The reason to end now, '' to go on."""
    training, progress = trainer.config.training, trainer.progress
    if trainer.control.stop:
        return trainer.control.stop
    if training.max_minutes is not None and progress.elapsed >= 60.0 * training.max_minutes:
        return "max_minutes"
    total = total_steps(trainer)
    if total is not None and progress.step >= total:
        return "max_steps" if total == training.max_steps else "max_epochs"
    return ""


def why_stop_early(trainer: Trainer) -> str:
    """The reason to end after an evaluation, '' to go on."""
    training, progress = trainer.config.training, trainer.progress
    if training.early_stopping_patience and progress.evals_without_gain >= training.early_stopping_patience:
        return "early_stopping"
    if training.stop_loss is not None:
        # The validation loss or, without one, the mean over a log interval: never one micro-batch.
        loss = progress.last_eval if trainer.prepared.valid is not None else progress.last_loss
        if loss is not None and loss <= training.stop_loss:
            return "stop_loss"
    return ""
