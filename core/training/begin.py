"""How a training begins: with fresh weights, with another run's, or where it stood at its newest checkpoint."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from typing import Any

import torch

from .. import checkpoint, machine, tuning
from ..config import Config
from ..errors import CheckpointError, ConfigError, RunError
from ..events import Event, Notice, Started
from ..prepare import prepare
from ..probes import probes_of
from ..recorder import Recorder
from ..runs import Run
from ..settings import settings
from ..sources import cache_folder
from ..start import Start, load_start
from ..text import first_line
from ..tokenizer import Tokenizer
from .budget import total_steps
from .progress import Progress
from .trainer import DTYPES, Trainer

RECORDS = ("training.tensorboard", "data.verify_rows")  # may change when a run goes on, though not while it does


def resumed_config(run: Run, wanted: Config | None) -> Config:
    """The settings of ``run`` with the live settings of ``wanted``, and with what it records.

    Raises ``ConfigError`` for other differences, ``RunError`` where there is no training to go on with.
    """
    if run.imported():
        raise RunError(
            "{run}: this run was imported, there is no training in it to go on with; train it further in a new "
            "run: gpt-tui train --from {name}",
            run=str(run.path),
            name=run.name,
        )
    stored = run.config()
    if wanted is None:
        return stored
    changes: dict[str, Any] = {}
    for key, setting in settings().items():
        if stored.get(key) == wanted.get(key):
            continue
        if not (setting.live or key in RECORDS):
            raise ConfigError("{key}: cannot change when a run goes on; start a new run for that", key=key)
        changes[key] = wanted.get(key)
    config = stored.update(changes)
    if changes.keys() - {*RECORDS}:
        _require_steps_to_make(run, config)
    return config


def _require_steps_to_make(run: Run, config: Config) -> None:
    """Raises ``RunError`` where a finished training has all of ``config``'s budget behind it: its report would tell
    of settings that nothing was learnt with."""
    report: dict[str, Any] = {}
    with contextlib.suppress(RunError):  # a damaged report is written anew
        report = run.report() or {}
    training = config.training
    limits = {
        "steps": training.max_steps or math.inf,
        "epochs": training.max_epochs or math.inf,
        "train_seconds": 60.0 * (training.max_minutes or math.inf),
    }
    done: dict[str, Any] = {key: report.get(key) for key in limits}
    if any(isinstance(done[key], (int, float)) and done[key] >= limit for key, limit in limits.items()):
        raise RunError(
            "{run}: this training has ended, after {steps} steps; to go on with it ask for more than that: --steps N "
            "or --minutes N",
            run=run.name,
            steps=done["steps"],
        )


def begin(trainer: Trainer, recorder: Recorder, resume: bool) -> Iterator[Event]:
    """All that comes before the first step: data, vocabulary, weights; the last events say with what.

    Raises ``Stopped`` where a stop is asked for meanwhile.
    """
    run = trainer.run
    torch.set_num_threads(trainer.threads)
    checkpoint.mend(run.checkpoints)
    known = resume and run.tokenizer_file.is_file()
    tokenizer = Tokenizer.load(run.tokenizer_file) if known else None
    trained = resume and bool(checkpoint.step_checkpoints(run.checkpoints))
    start = None if trained else load_start(trainer.config, trainer.run.path.parent)
    given = tokenizer or (start.tokenizer if start else None)
    trainer.prepared = yield from prepare(trainer.config, given, cache_folder(run.path.parent), trainer.control.look)
    trainer.probes = probes_of(trainer.config, trainer.prepared.valid_records, trainer.prepared.train_records)
    machine.give_back_memory()
    if trained:
        yield from restore(trainer)
    else:
        take_up(trainer, start)
    begun = start is not None
    del start  # its weights, which are not needed twice
    machine.give_back_memory()
    step = trainer.progress.step
    if resume:
        yield from trainer.disk.write("metrics.jsonl", lambda: recorder.forget_after(step), step)
        yield from trainer.disk.write("config.yaml", lambda: run.save_config(trainer.config), step)
    if tokenizer is None:
        vocabulary = trainer.prepared.tokenizer
        yield from trainer.disk.write("tokenizer.json", lambda: run.save_tokenizer(vocabulary), step)
    trainer.control.look()
    trainer.started = True
    yield started(trainer)
    if begun and trainer.origin:
        yield Notice("beginning with the weights of {run}, {checkpoint} (step {step})", trainer.origin)
    if notice := tuning.tuning_notice(trainer.model, trainer.config):
        yield notice


def take_up(trainer: Trainer, start: Start | None) -> None:
    """The weights of ``start``, or fresh ones."""
    trainer.origin = start.about if start else None
    trainer.build(start.weights if start else None, None)


def begin_again(trainer: Trainer) -> None:
    """Back to the weights before the first step."""
    trainer.progress = Progress()
    take_up(trainer, load_start(trainer.config, trainer.run.path.parent))


def restore(trainer: Trainer) -> Iterator[Event]:
    """Take up the newest whole checkpoint; damaged newer ones are named."""
    folder, problems = checkpoint.newest(trainer.run.checkpoints)
    for problem in problems:
        yield Notice("{problem}; the checkpoint before it is used", {"problem": problem}, level="warning")
    state, weights, memory = checkpoint.load(folder, optimizer=True)
    progress = trainer.progress = Progress.from_state(state.get("progress"), folder)
    trainer.saved_step = progress.step
    if state.get("data_sha256") != trainer.prepared.report["sha256"]:
        # The order of an epoch is a function of its rows: a place in the middle of it means nothing any more.
        progress.next_epoch()
        yield Notice(
            "the data changed since step {step}: its rows come in a new order from here on",
            {"step": progress.step},
            level="warning",
        )
        if trainer.config.data.valid is None and trainer.config.data.valid_fraction:
            yield Notice("and other rows are held out: those trained on before make the evaluation look too good",
                         level="warning")  # fmt: skip
    if not memory and progress.step:
        yield Notice(
            "the checkpoint of step {step} has no optimizer's memory: that begins anew, and the loss rises at first",
            {"step": progress.step},
            level="warning",
        )
    dtype = str(state.get("dtype"))
    trainer.dtype_name = dtype if dtype in DTYPES else trainer.dtype_name
    trainer.origin = state.get("start")
    try:
        trainer.build(weights, memory)
    except (KeyError, RuntimeError) as problem:
        if machine.is_out_of_memory(problem):
            raise
        reason = first_line(problem)
        raise CheckpointError("{path}: does not fit: {reason}", path=str(folder), reason=reason) from None
    if progress.batch >= trainer.per_epoch():
        progress.next_epoch()


def started(trainer: Trainer) -> Started:
    """The event that the first step follows."""
    return Started(
        trainer.run.name, str(trainer.run.path), trainer.config.recipe, trainer.progress.step, trainer.device,
        trainer.threads, trainer.dtype_name, tuning.count(trainer.model)[0], trainer.prepared.tokenizer.vocab_size,
        total_steps(trainer), trainer.config.training.max_minutes, trainer.prepared.report, time.time(),
    )  # fmt: skip
