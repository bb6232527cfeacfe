"""A training without torch: the same events every time, at the speed the test wants, obeying ``Control``."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.config import Config
from core.control import Control
from core.events import (
    Changed,
    Eval,
    Event,
    Finished,
    Notice,
    Probe,
    Quantized,
    Saved,
    Started,
    State,
    Step,
    Verified,
)  # fmt: skip

PART = {"exact": 9, "contains": 0, "miss": 1, "total": 10, "exact_rate": 0.9, "ci95": [0.6, 0.98], "majority_rate": 0.1}
ANSWERS = ("注意", "注意力机制通过分配", "注意力机制通过分配权重让模型关注关键位置，从而更好地理解序列中的关系。")


@dataclass
class FakeRun:
    """As much of ``core.runs.Run`` as a session needs."""

    path: Path
    events: list[Event] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.name

    def read_metrics(self) -> Iterator[Event]:
        yield from self.events


@dataclass
class FakeEngine:
    """Called like ``core.train.train``. Attributes may be changed while it runs."""

    steps: int = 40
    seconds_per_step: float = 0.0
    eval_interval: int = 10
    log_interval: int = 1
    fail_at: int | None = None
    error: BaseException = field(default_factory=lambda: RuntimeError("broken"))
    nan_at: int | None = None
    resumed_step: int = 0
    changed: list[dict[str, Any]] = field(default_factory=list)
    """Updates taken from the control, for tests to look at."""
    discarded: bool = False

    def __call__(
        self, config: Config | None, run: Any, control: Control | None, *, resume: bool = False
    ) -> Generator[Event, None, None]:
        control = control or Control()
        config = config or Config()
        run.path.mkdir(parents=True, exist_ok=True)
        yield State("preparing")
        yield Notice("{count} of {rows} training rows stand there more than once (data.duplicates: {action})",
                     {"count": 2, "rows": 100, "action": "drop"})  # fmt: skip
        first = self.resumed_step if resume else 0
        yield Started(
            run.name, str(run.path), config.recipe, first, "cpu", 2, "fp32", 3_400_000, 2048, self.steps, None,
            {"train": {"rows": 98, "tokens": 4000, "supervised_tokens": 2500, "length": {"p50": 40, "max": 120},
                       "padding_share": 0.05}}, 1_700_000_000.0,
        )  # fmt: skip
        yield State("training", first)
        yield from self._loop(config, run, control, first)

    def _loop(self, config: Config, run: Any, control: Control, step: int) -> Iterator[Event]:
        elapsed, best, best_step = 0.0, math.inf, 0
        probes = config.data.probes
        while step < self.steps and not control.stop:
            if control.paused:
                yield State("paused", step)
                while control.paused and not control.stop:
                    control.wait_while_paused(0.02)
                yield State("training", step)
                continue
            updates = control.take_updates()
            if updates:
                self.changed.append(updates)
                yield Changed(step, updates)
            if self.seconds_per_step:
                time.sleep(self.seconds_per_step)
            step += 1
            elapsed += max(self.seconds_per_step, 0.1)
            if step == self.fail_at:
                raise self.error
            loss = 0.5 + 6.0 * math.exp(-step / 12) + 0.1 * math.sin(step)
            if step % self.log_interval == 0:
                yield Step(
                    step, math.nan if step == self.nan_at else loss, 1e-3 * (1 - step / (self.steps + 1)),
                    1.0 + 0.2 * math.cos(step), 12_000 + 500 * math.sin(step / 3), elapsed,
                    elapsed / step * (self.steps - step), step / 20, step * 400, step / self.steps,
                )  # fmt: skip
            if step % self.eval_interval == 0:
                yield State("evaluating", step)
                value = loss + 0.2
                improved = value < best
                best, best_step = (value, step) if improved else (best, best_step)
                yield Eval(step, value, best, best_step, improved)
                number = min(len(ANSWERS) - 1, step // self.eval_interval - 1)
                for i, probe in enumerate(probes):
                    answer = ANSWERS[number] if i == 0 else "水"
                    yield Probe(step, probe.prompt, answer, probe.expected, answer == probe.expected)
                yield State("training", step)
            if control.save_now:
                control.save_now = False
                yield from self._save(run, step)
        if control.stop and control.discard:
            self.discarded = True
            yield Finished(control.stop, step, elapsed, elapsed, 1.0, best if best < math.inf else None, best_step)
            return
        yield from self._save(run, step)
        if not control.stop:
            yield State("verifying", step)
            yield Quantized(step, str(run.path), 3_500_000, 13_600_000, 0.99, 100, 900.0, 700.0)
            yield Verified(step, {"valid": dict(PART)})
        yield State("done", step)
        yield Finished(
            control.stop or "max_steps", step, elapsed, elapsed + 1.0, 1.0, best if best < math.inf else None, best_step
        )

    def _save(self, run: Any, step: int) -> Iterator[Event]:
        yield State("saving", step)
        yield Saved(step, str(run.path / f"step-{step:08d}"), "last", 40_000_000)
        yield State("training", step)
