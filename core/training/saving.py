"""The checkpoints of a training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch

from .. import checkpoint, lora, machine
from ..default import default_checkpoint
from ..errors import RunError
from ..events import Event, Notice, Saved, State
from ..storage import make_private_folder
from .disk import reason_of
from .trainer import Trainer


def save(trainer: Trainer, tag: str = "last", *, final: bool = False) -> Iterator[Event]:
    """Write a checkpoint: 'last' with all that a resume needs, 'best' only to be used.

    A full disk is waited for. What else the system refuses is told; only of the ``final`` one, without which
    steps would be lost, is it a ``RunError``.
    """
    step, checkpoints = trainer.progress.step, trainer.run.checkpoints
    yield State("saving", step)
    if not trainer.run.exists():
        yield from _put_back(trainer)
    folder = checkpoint.step_folder(checkpoints, step) if tag == "last" else checkpoints / tag
    memory = trainer.optimizer.state() | lora.apart(trainer.optimizer.weights()) if tag == "last" else None
    state, vocabulary, weights = state_of(trainer), trainer.prepared.tokenizer.to_json(), trainer.weights()
    try:
        size = yield from trainer.disk.write(
            f"checkpoints/{folder.name}",
            lambda: checkpoint.save(folder, state, vocabulary, weights, memory), step,
        )  # fmt: skip
    except OSError as problem:
        reason = reason_of(problem)
        if final:
            raise RunError("{path}: cannot be written: {reason}", path=str(folder), reason=reason) from None
        yield Notice(
            "checkpoint at step {step} not written: {reason}; the one before is kept",
            {"step": step, "reason": reason},
            level="warning",
        )
        return
    if size is None:  # stopped while there was no room
        if final:
            yield Notice(
                "stopped without room to save: the steps after {saved} are lost",
                {"saved": max(0, trainer.saved_step)},
                level="warning",
            )
        return
    if tag == "last":
        trainer.saved_step = step
        with contextlib.suppress(OSError):  # what cannot be deleted now goes with the next one
            kept, spare = trainer.config.training.keep_checkpoints, default_checkpoint(trainer.run)
            checkpoint.prune(checkpoints, kept, upto=folder, spare=spare)
    yield Saved(step, str(folder), tag, size)
    yield State("training", step)


def _put_back(trainer: Trainer) -> Iterator[Event]:
    """Make the run's folder again that somebody has removed during the training: a checkpoint alone is no run."""
    run, step = trainer.run, trainer.progress.step
    yield Notice(
        "{run}: the folder was removed while its training went on; it is made again, older checkpoints are lost",
        {"run": str(run.path)},
        level="warning",
    )
    vocabulary = trainer.prepared.tokenizer
    try:
        make_private_folder(run.path)
        yield from trainer.disk.write("config.yaml", lambda: run.save_config(trainer.config), step)
        yield from trainer.disk.write("tokenizer.json", lambda: run.save_tokenizer(vocabulary), step)
        trainer.lock.acquire()
    except OSError as problem:
        raise RunError("{path}: cannot be written: {reason}", path=str(run.path), reason=reason_of(problem)) from None


def state_of(trainer: Trainer) -> dict[str, Any]:
    """``state.json``: what makes a checkpoint self-describing and a resume exact."""
    return {
        "step": trainer.progress.step,
        "progress": asdict(trainer.progress),
        "config": trainer.config.to_dict(),
        "dtype": trainer.dtype_name,
        "device": trainer.device,
        "tokenizer_sha256": trainer.prepared.tokenizer.fingerprint(),
        "data_sha256": trainer.prepared.report["sha256"],
        "run": trainer.run.name,
        "start": trainer.origin,
        "code": machine.code_version(),
        "torch": torch.__version__,
    }
