"""A training's own steps with a clock at their seams: tokens a second, and where the time goes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import torch

from .. import machine
from ..batches import Batch, epoch_order
from ..config import Config
from ..control import Control
from ..events import Event
from ..optim import Optimizer
from ..prepare import Prepared, prepare
from ..recorder import Recorder
from ..runs import Run
from ..train import step_event
from ..training.trainer import DTYPES, Trainer
from .matmul import SHAPES, peak_rate

#: Of a step. 'data' is the batch made from rows; 'logging' the line of metrics.jsonl, shared by the steps it is for.
PARTS = ("data", "forward", "backward", "optimizer", "logging")
TURNS = 8
"""How often, about, what is measured beside a training has its turn."""
FLOPS_PER_PARAMETER = 6
"""A token's forward and backward pass: 2 + 4 operations a parameter (Kaplan et al. 2020); attention not counted."""


class Clock:
    """Seconds by part: each ``charge`` takes what has passed since the last one."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._last = time.perf_counter()

    def start(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._last = time.perf_counter()

    def charge(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part] += now - self._last
        self._last = now


class TimedOptimizer:
    """An ``Optimizer`` as ``Trainer.step`` uses it; what was computed before its first call is the backward pass."""

    def __init__(self, inner: Optimizer, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def collect_gradients(self, first: bool) -> None:
        self._clock.charge("backward")
        self._inner.collect_gradients(first)
        self._clock.charge("optimizer")

    def clip(self, longest: float) -> float:
        self._clock.charge("backward")  # where gradients are not collected: nothing but the loss's number
        norm = self._inner.clip(longest)
        self._clock.charge("optimizer")
        return norm

    def step(self, lr: float) -> None:
        self._inner.step(lr)
        self._clock.charge("optimizer")


def drain(steps: Generator[Event, None, Any]) -> Any:
    """What a generator of events returns in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def prepared_data(config: Config, cache: Path) -> Prepared:
    """Tokenizer and rows of a config; a corpus that is made is kept in ``cache``."""
    found: Prepared = drain(prepare(config, cache=cache))
    return found


def ready_trainer(config: Config, run: Run, prepared: Prepared) -> Trainer:
    """A trainer at its step 0, fresh weights and all."""
    trainer = Trainer(config, run, Control())
    torch.set_num_threads(trainer.threads)
    trainer.prepared = prepared
    trainer.build(None, None)
    return trainer


def measure_steps(
    trainer: Trainer, recorder: Recorder, steps: int, warm: int, between: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """Run ``warm`` and then ``steps`` steps of a trainer and say what one costs, as medians over the steps.

    ``recorder`` takes the lines that a training would log; ``between`` is called before some of the steps that count.
    """
    clock = Clock()
    loss_of = trainer.loss_of
    training, rows = trainer.config.training, trainer.prepared.train

    def timed_loss(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        clock.charge("data")
        losses = loss_of(batch)
        clock.charge("forward")
        places.append(batch.inputs.numel())
        return losses

    trainer.loss_of = timed_loss  # type: ignore[method-assign]
    trainer.optimizer = TimedOptimizer(trainer.optimizer, clock)  # type: ignore[assignment]
    places: list[int] = []
    seconds: list[float] = []
    rates: list[float] = []
    parts: list[dict[str, float]] = []
    padding: list[float] = []
    per_epoch = trainer.per_epoch()
    order = epoch_order(rows.lengths, training.batch_size, training.seed, 0)
    for number in range(warm + steps):
        if number and number % per_epoch == 0:
            order = epoch_order(rows.lengths, training.batch_size, training.seed, number // per_epoch)
        places.clear()
        if number >= warm and (number - warm) % max(1, steps // TURNS) == 0:
            between()
        clock.start()
        result = trainer.step(order[number % per_epoch], training.lr)
        trainer.progress.step += 1
        begin = time.perf_counter()
        recorder.write(step_event(trainer, training.lr, result.grad_norm, 0.0, None))
        clock.seconds["logging"] += (time.perf_counter() - begin) / training.log_interval
        if number >= warm:
            seconds.append(sum(clock.seconds.values()))
            rates.append(result.real_tokens / seconds[-1])
            parts.append(dict(clock.seconds))
            padding.append(1.0 - result.real_tokens / sum(places))
    return {
        "steps": steps,
        "step_seconds": statistics.median(seconds),
        "tokens_per_second": statistics.median(rates),
        "parts": {part: statistics.median(step[part] for step in parts) for part in PARTS},
        "padding_share": statistics.median(padding),
    }


def model_flops_utilization(parameters: int, tokens_per_second: float, peak: float) -> float:
    """Share of the ``peak`` (operations per second) that a training at this rate puts to use: MFU (Chowdhery et
    al. 2022), real tokens only."""
    return FLOPS_PER_PARAMETER * parameters * tokens_per_second / peak


def measure_training(
    config: Config,
    folder: Path,
    cache: Path,
    *,
    steps: int,
    warm: int,
    shapes: tuple[tuple[int, int, int], ...] = SHAPES,
) -> dict[str, Any]:
    """One recipe's training on this machine: rate, MFU, seconds by part, highest memory of this process.

    The machine's peak is measured again and again between the steps, so that an hour in which it is slow slows both;
    the median of these counts. The products take up to 45 MB of the memory told.
    """
    begin = time.perf_counter()
    prepared = prepared_data(config, cache)
    ready = time.perf_counter() - begin
    run = Run(folder / f"steps-{config.recipe}")
    run.path.mkdir(parents=True, exist_ok=True)
    trainer = ready_trainer(config, run, prepared)
    dtype = DTYPES[trainer.dtype_name]
    peaks: list[float] = []
    with Recorder(run) as recorder:
        found = measure_steps(trainer, recorder, steps, warm, lambda: peaks.append(peak_rate(dtype, shapes, 3)))
    memory = machine.peak_memory()
    peak = statistics.median(peaks)
    parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    return {
        "recipe": config.recipe,
        "parameters": parameters,
        "dtype": trainer.dtype_name,
        "threads": trainer.threads,
        "prepare_seconds": ready,
        **found,
        "peak_gflops": peak / 1e9,
        "mfu": model_flops_utilization(parameters, found["tokens_per_second"], peak),
        "peak_memory_bytes": memory,
    }
