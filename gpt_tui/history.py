"""What is known of a training at a moment, gathered from its events.

``History`` takes the events of a run, from its thread or from its ``metrics.jsonl``; ``Snapshot`` is what a screen
reads of it: frozen, and cheap to make and to compare (``version``).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from core.events import (
    Changed,
    Eval,
    Event,
    Finished,
    Probe,
    Progress,
    Quantized,
    RolledBack,
    Sample,
    Saved,
    Skipped,
    Started,
    State,
    Step,
    Verified,
)  # fmt: skip
from core.text import printable

from .console import STOPPED, lines
from .failure import Failure

LOG_LINES = 1000
#: Texts of a text model that are kept; one comes after each epoch.
MAX_SAMPLES = 100
#: Points kept for plots; beyond it every second one of the older half is dropped. The file keeps them all.
MAX_POINTS = 8_000

#: The engine's states as the screen names them.
STATES = {
    "preparing": "starting",
    "making_corpus": "starting",
    "downloading": "starting",
    "tokenizing": "starting",
    "training": "running",
    "evaluating": "evaluating",
    "saving": "saving",
    "paused": "paused",
    "finishing": "verifying",
    "verifying": "verifying",
    "answering": "verifying",
    "done": "done",
}
#: States in which a training has a thread.
ACTIVE = frozenset({"starting", "running", "paused", "evaluating", "saving", "verifying"})


@dataclass(frozen=True)
class LogLine:
    """One line of the log, safe to show."""

    text: str
    kind: str
    """The kind of its event; 'error' or 'warning' for what went wrong."""


@dataclass(frozen=True)
class Snapshot:
    """A training at one moment. Two snapshots of the same ``version`` differ only in times and the step."""

    version: int = 0
    state: str = "idle"
    """idle, starting, running, paused, evaluating, saving, verifying, done, failed"""
    live: bool = True
    """False: read from the file of a run that another process trains, or has trained."""
    run_path: Path | None = None
    run: str = ""
    recipe: str = ""
    started: Started | None = None
    total_steps: int | None = None
    max_minutes: float | None = None
    step: int = 0
    progress: float = 0.0
    elapsed: float = 0.0
    """Seconds of training, without pauses."""
    eta: float | None = None
    last: Step | None = None
    last_eval: Eval | None = None
    best_loss: float | None = None
    best_step: int = 0
    steps: tuple[Step, ...] = ()
    evals: tuple[Eval, ...] = ()
    probes: tuple[Probe, ...] = ()
    """The newest answer to each question, in the order of the questions."""
    samples: tuple[Sample, ...] = ()
    """What a text model wrote after each epoch, the oldest first."""
    task: Progress | None = None
    """How far the making of the data, or the asking of all questions at the end, has come, while that goes on."""
    saved: Saved | None = None
    """The newest checkpoint from which a training can go on."""
    saved_age: float | None = None
    """Seconds since it was written."""
    verified: Verified | None = None
    quantized: Quantized | None = None
    finished: Finished | None = None
    failure: Failure | None = None
    skipped: int = 0
    stopping: bool = False
    """A stop is asked for and not yet done."""
    pausing: bool = False
    """A pause is asked for; it begins after the step that is being computed."""
    log: tuple[LogLine, ...] = ()
    """The newest lines."""
    log_count: int = 0
    """Lines ever written, so that a reader knows how many of ``log`` are new to him."""

    @property
    def active(self) -> bool:
        """Whether a training has a thread (or, when watched, is being trained elsewhere)."""
        return self.state in ACTIVE

    @property
    def live_run(self) -> Path | None:
        """The run whose weights are here and can be asked."""
        return self.run_path if self.active and self.started else None

    @property
    def can_start(self) -> bool:
        return self.live and not self.active

    @property
    def can_pause(self) -> bool:
        return self.live and self.state in ("running", "evaluating", "saving") and not (self.stopping or self.pausing)

    @property
    def can_resume(self) -> bool:
        return self.live and not self.stopping and (self.state == "paused" or self.pausing)

    @property
    def can_stop(self) -> bool:
        return self.live and self.active and self.state != "verifying" and not self.stopping

    @property
    def can_save(self) -> bool:
        return self.live and self.state in ("running", "paused", "evaluating") and not self.stopping


@dataclass
class History:
    """Gathers events. Not for several threads at once: ``Session`` holds a lock around it."""

    clock: Callable[[], float] = time.monotonic
    ticking: bool = True
    """The events are happening now: elapsed time goes on between them."""
    version: int = 0
    state: str = "idle"
    run_path: Path | None = None
    run: str = ""
    recipe: str = ""
    started: Started | None = None
    finished: Finished | None = None
    failure: Failure | None = None
    verified: Verified | None = None
    quantized: Quantized | None = None
    skipped: int = 0
    saved: Saved | None = None
    saved_at: float | None = None
    step: int = 0
    total_steps: int | None = None
    max_minutes: float | None = None
    steps: list[Step] = field(default_factory=list)
    evals: list[Eval] = field(default_factory=list)
    probes: dict[str, Probe] = field(default_factory=dict)
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=MAX_SAMPLES))
    task: Progress | None = None
    log: deque[LogLine] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    log_count: int = 0
    _elapsed: float = 0.0
    _eta: float | None = None
    _since: float | None = None
    """When ``_elapsed`` was true; None while the time does not count."""
    _frozen: Snapshot = field(default_factory=Snapshot)

    def take(self, event: Event) -> list[str]:
        """Take one event in; returns the lines it says."""
        self.version += 1
        self._elapsed, self._eta = self.elapsed(), self.eta()
        if self._since is not None:
            self._since = self.clock()
        if isinstance(event, Started):
            self._take_started(event)
        elif isinstance(event, State):
            self.step, self.task = max(self.step, event.step), None
            self._enter(self._named(event))
        elif isinstance(event, Progress):
            self.task = event
        elif isinstance(event, Step):
            self.steps.append(event)
            self.step = event.step
            self._elapsed, self._eta = event.elapsed, event.eta
            if len(self.steps) > MAX_POINTS:
                half = MAX_POINTS // 2
                self.steps[:half] = self.steps[:half:2]
        elif isinstance(event, Eval):
            self.evals.append(event)
        elif isinstance(event, Probe):
            self.probes[event.prompt] = event
        elif isinstance(event, Sample):
            self.samples.append(event)
        elif isinstance(event, Saved):
            if event.tag == "last":
                self.saved_before(event, 0.0)
        elif isinstance(event, Changed):
            # The budget may change while the training runs.
            self.total_steps = event.values.get("training.max_steps", self.total_steps)
            self.max_minutes = event.values.get("training.max_minutes", self.max_minutes)
        elif isinstance(event, Skipped):
            self.skipped = event.total
        elif isinstance(event, RolledBack):
            self.step = event.to_step
            self._forget_after(event.to_step)
        elif isinstance(event, Verified):
            self.verified = event
        elif isinstance(event, Quantized):
            self.quantized = event
        elif isinstance(event, Finished):
            self.finished, self.step = event, event.steps
            self._elapsed, self._eta = event.train_seconds, None
            self._enter("done")
        said = [printable(line) for line in lines(event, self.total_steps)]
        level = "warning" if getattr(event, "level", "") == "warning" else event.kind
        self.say(said, "warning" if isinstance(event, (Skipped, RolledBack)) else level)
        return said

    def recall(self, event: Event) -> None:
        """Take in what happened before a run went on: points and answers, no state, no log."""
        self.version += 1
        if isinstance(event, Step):
            self.steps.append(event)
        elif isinstance(event, Eval):
            self.evals.append(event)
        elif isinstance(event, Probe):
            self.probes[event.prompt] = event
        elif isinstance(event, Sample):
            self.samples.append(event)
        elif isinstance(event, RolledBack):
            self._forget_after(event.to_step)

    def _forget_after(self, last: int) -> None:
        """Steps that are going to be made again."""
        self.steps = [step for step in self.steps if step.step <= last]
        self.evals = [item for item in self.evals if item.step <= last]

    def saved_before(self, event: Saved, age: float | None) -> None:
        """A checkpoint to go on from was written ``age`` seconds ago; None: nobody knows when."""
        self.saved, self.saved_at = event, None if age is None else self.clock() - age

    def say(self, texts: Iterable[str], kind: str) -> None:
        """Add lines to the log."""
        for text in texts:
            self.log.append(LogLine(text, kind))
            self.log_count += 1
        self.version += 1

    def fail(self, failure: Failure) -> None:
        self.failure, self.task = failure, None
        self._enter("failed")
        self._eta = None
        self.say([failure.line()], "error")

    def _take_started(self, event: Started) -> None:
        self.started, self.task = event, None
        self.run, self.recipe, self.step = event.run, event.recipe, event.resumed_step
        self.run_path = Path(event.path)
        self.total_steps, self.max_minutes = event.total_steps, event.max_minutes
        # After a resume the steps behind the checkpoint happen again.
        self._forget_after(event.resumed_step)
        self.finished = self.verified = self.quantized = None
        if self.steps:
            self._elapsed = self.steps[-1].elapsed

    def _named(self, event: State) -> str:
        """The engine's state in the screen's words. After the last step and its checkpoint comes the final check."""
        state = STATES.get(event.state, event.state)
        over = self.total_steps is not None and event.step >= self.total_steps
        over = over or bool(self.steps and self._is_of_now(self.steps[-1]) and self.steps[-1].progress >= 1.0)
        ends_here = over and self.saved is not None and self.saved.step == event.step
        return "verifying" if state == "running" and ends_here else state

    def _is_of_now(self, step: Step) -> bool:
        """Not from before a resume: a run that has ended can go on with a larger budget."""
        return self.started is None or step.step > self.started.resumed_step

    def _enter(self, state: str) -> None:
        self._elapsed, self._eta = self.elapsed(), self.eta()
        counts = self.ticking and state in ("running", "evaluating", "saving") and self.started is not None
        self._since = self.clock() if counts and self.finished is None else None
        self.state = state

    def elapsed(self) -> float:
        """Seconds of training so far, without pauses."""
        return self._elapsed + (self.clock() - self._since if self._since is not None else 0.0)

    def eta(self) -> float | None:
        """Seconds left; None while it cannot be known."""
        if self._eta is None:
            return None
        return max(0.0, self._eta - (self.clock() - self._since if self._since is not None else 0.0))

    def snapshot(self, *, live: bool = True, stopping: bool = False, pausing: bool = False, step: int = 0) -> Snapshot:
        """The present state. Only what moves is made anew while nothing has happened. ``step``: what the loop counts
        between two log intervals, where it can be read."""
        step = max(step, self.step) if self.state == "running" else self.step
        last = self.steps[-1] if self.steps else None
        last_eval = self.evals[-1] if self.evals else None
        age = None if self.saved_at is None else max(0.0, self.clock() - self.saved_at)
        same = self._frozen.version == self.version
        best = last_eval.best if last_eval and math.isfinite(last_eval.best) else None
        snapshot = Snapshot(
            version=self.version, state=self.state, live=live, run_path=self.run_path, run=self.run,
            recipe=self.recipe, started=self.started,
            total_steps=self.total_steps, max_minutes=self.max_minutes,
            step=step, progress=self._progress(last, step), elapsed=self.elapsed(), eta=self.eta(), last=last,
            last_eval=last_eval, best_loss=best, best_step=last_eval.best_step if last_eval else 0,
            steps=self._frozen.steps if same else tuple(self.steps),
            evals=self._frozen.evals if same else tuple(self.evals),
            probes=self._frozen.probes if same else tuple(self.probes.values()),
            samples=self._frozen.samples if same else tuple(self.samples), task=self.task,
            saved=self.saved, saved_age=age, verified=self.verified, quantized=self.quantized,
            finished=self.finished, failure=self.failure, skipped=self.skipped, stopping=stopping, pausing=pausing,
            log=self._frozen.log if same else tuple(self.log), log_count=self.log_count,
        )  # fmt: skip
        self._frozen = snapshot
        return snapshot

    def _progress(self, last: Step | None, step: int) -> float:
        if self.finished is not None and self.finished.reason not in STOPPED:
            return 1.0
        done = last.progress if last and self._is_of_now(last) else 0.0
        if self.total_steps:
            done = max(done, min(1.0, step / self.total_steps))
        if self.max_minutes and self.started is not None:
            # Between two log lines, too: at a second a step the first comes after half a minute.
            done = max(done, min(0.999, self.elapsed() / (60.0 * self.max_minutes)))
        return done
