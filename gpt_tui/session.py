"""A training in a thread of the app.

The thread takes the engine's events one after the other into a locked ``History`` and writes ``train.log``; a timer
of the screen reads ``snapshot()``. The thread never waits for the screen and never touches a widget; the screen
reaches into the training only through the few flags of ``core.control.Control``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.config import Config
from core.control import Control
from core.errors import RunError
from core.events import Event, Finished, RolledBack, Saved, Started

from .console import LogFile
from .elsewhere import age_of
from .failure import explain
from .history import History, Snapshot

if TYPE_CHECKING:
    from core.runs import LoadedModel, Run

    from .stderr import StderrSink


__all__ = ["Engine", "Session", "Snapshot", "real_engine"]


class Engine(Protocol):
    """``core.train.train``, or what stands in for it in tests."""

    def __call__(
        self, config: Config | None, run: Run | None, control: Control | None, *, resume: bool = False
    ) -> Generator[Event, None, None]: ...


def real_engine(
    config: Config | None, run: Run | None, control: Control | None, *, resume: bool = False
) -> Generator[Event, None, None]:
    """``core.train.train``; torch is imported when the first event is asked for, in the thread."""
    from core.train import train

    yield from train(config, run, control, resume=resume)


class Session:
    """At most one training at a time."""

    def __init__(
        self,
        engine: Engine = real_engine,
        *,
        sink: StderrSink | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._sink = sink
        self._clock = clock
        self._lock = threading.Lock()
        self._history = History(clock)
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._ended.set()
        self.control = Control()

    # -- what the screen reads --------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The training as it stands; may be called from any thread, at any rate."""
        with self._lock:
            paused = self.control.paused and self._history.state not in ("paused", "idle", "done", "failed")
            stopping = bool(self.control.stop) and self.active
            return self._history.snapshot(stopping=stopping, pausing=paused, step=self.control.step)

    @property
    def active(self) -> bool:
        """Whether the thread of a training is there; as long as it is, no other can start."""
        return not self._ended.is_set()

    # -- what the screen asks for -----------------------------------------------------------------------------

    def start(self, config: Config | None, run: Run | Callable[[], Run], *, resume: bool = False) -> None:
        """Begin a training. ``run`` may be a function, so that finding or naming it happens in the thread.

        Raises ``RunError`` while another one is not over.
        """
        if self.active:
            raise RunError("a training is running; stop it first")
        if self._thread is not None:
            self._thread.join()
        self._ended.clear()
        self.control = Control()
        with self._lock:
            version, lines = self._history.version, self._history.log_count
            self._history = History(self._clock, version=version + 1, state="starting", log_count=lines)
            if config is not None:
                self._history.recipe = config.recipe
        self._thread = threading.Thread(
            target=self._train, args=(config, run, resume, self.control), name="training", daemon=True
        )
        self._thread.start()

    def pause(self) -> None:
        """Pause after the step that is being computed."""
        if self.active:
            self.control.pause()

    def resume(self) -> None:
        self.control.resume()

    def stop(self, *, discard: bool = False, reason: str = "user") -> None:
        """End after the step that is being computed; ``discard``: without saving."""
        if self.active:
            self.control.request_stop(reason, discard=discard)

    def save_now(self) -> None:
        if self.active:
            self.control.save_now = True

    def update(self, key: str, value: Any) -> None:
        """A new value of a setting that may change during a run."""
        if self.active:
            self.control.update(key, value)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the training to end; True when none is running any more."""
        return self._ended.wait(timeout)

    def live_model(self, timeout: float = 30.0) -> LoadedModel:
        """A copy of the weights as they are between two steps: asking it changes nothing in the training.

        Blocks until the training comes to a step boundary: not for the UI thread. Raises ``RunError``.
        """
        if not self.active:
            raise RunError("nothing is being trained")
        future: Future[Any] = self.control.request_copy()
        deadline = self._clock() + timeout
        while True:
            try:
                copy = future.result(timeout=0.25)
                break
            except FutureTimeout:
                verifying = self.snapshot().state == "verifying"
                if self.active and not verifying and self._clock() < deadline:
                    continue
                future.cancel()
                if verifying:  # nothing changes any more, and all of it has been saved
                    return self._saved_model()
                raise RunError(
                    "the training does not answer just now (it is starting or ending); try the newest checkpoint"
                ) from None
        from core.runs import LoadedModel
        from core.skeleton import unfilled_model

        model = unfilled_model(copy.config.model, copy.tokenizer.vocab_size)
        model.load_state_dict(copy.weights)
        size = sum(weight.numel() * weight.element_size() for weight in copy.weights.values())
        folder = self.snapshot().run_path or Path()
        return LoadedModel(model.eval(), copy.tokenizer, copy.config, copy.step, folder, size)

    def _saved_model(self) -> LoadedModel:
        from core.runs import Run

        path = self.snapshot().run_path
        if path is None:
            raise RunError("nothing is being trained")
        return Run(path).load("last")

    # -- the thread -------------------------------------------------------------------------------------------

    def _train(self, config: Config | None, run: Run | Callable[[], Run], resume: bool, control: Control) -> None:
        log: LogFile | None = None
        try:
            target = run() if callable(run) else run
            log = LogFile(target.path / "train.log")
            with self._lock:
                self._history.run, self._history.run_path = target.name, target.path
                self._history.version += 1
            first = True
            with closing(self._engine(config, target, control, resume=resume)) as events:
                for event in events:
                    if first and self._sink is not None:
                        self._sink.to(target.path / "train.log")
                    first = False
                    if isinstance(event, Started) and event.resumed_step:
                        self._recall(target, event.resumed_step)
                    with self._lock:
                        said = self._history.take(event)
                    for line in said:
                        log.write(line)
        except BaseException as error:  # whatever it was, the app lives on and says it
            failure = explain(error)
            with self._lock:
                self._history.fail(failure)
            if log is not None:
                log.write(failure.line())
                for line in failure.detail.splitlines():
                    log.write(line)
        finally:
            if log is not None:
                log.close()
            if self._sink is not None:
                self._sink.back()
            with self._lock:
                _end(self._history, control.stop if resume else "")
            self._ended.set()

    def _recall(self, run: Run, step: int) -> None:
        """What happened before the checkpoint a run goes on from: the file has it. The checkpoint is there in any case:
        a process may end between writing it and recording that."""
        from core.checkpoint import step_folder

        folder = step_folder(run.path / "checkpoints", step)
        age = age_of(folder)
        with self._lock:
            self._history.saved_before(Saved(step, str(folder)), age)
        for event in run.read_metrics():
            back = isinstance(event, RolledBack) and event.to_step <= step
            if back or getattr(event, "step", step + 1) <= step:
                with self._lock:
                    self._history.recall(event)


def _end(history: History, stopped_again: str) -> None:
    """The thread has ended. What was stopped before its first step has left nothing to look at but the log;
    ``stopped_again``: why, where it was to go on, which it still can."""
    history.version += 1
    if history.state in ("done", "failed"):
        return
    history.state, history.task = "done", None
    if history.started is not None:
        return
    folder = _newest(history.run_path) if stopped_again and history.run_path is not None else None
    if folder is not None:
        history.step = int(folder.name.removeprefix("step-"))
        history.saved_before(Saved(history.step, str(folder)), age_of(folder))
        history.finished = Finished(stopped_again, history.step, 0.0)
    else:
        history.state, history.run_path, history.run = "idle", None, ""


def _newest(run: Path) -> Path | None:
    from core.checkpoint import step_checkpoints

    return next((path for path in step_checkpoints(run / "checkpoints") if path.name.startswith("step-")), None)
