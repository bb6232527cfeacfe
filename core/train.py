"""The training loop: batches in, events out.

``train`` is a generator: it does nothing until asked for the next event, and closing it stops the training.
One optimizer step is one method, ``Trainer.step``; what happens around it is ``Trainer.run``.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import checkpoint, lora, machine, recovery, tuning
from .batches import batches_per_epoch, collate, epoch_order, split_rows
from .callable_module import make_callable
from .config import Config, settings
from .control import Control, LiveCopy
from .dataset import encode_prompt
from .errors import CheckpointError, ConfigError, RunError, UserError
from .evaluate import evaluate_loss, grade
from .event_files import EventFiles, require_tensorboard
from .events import (
    Changed,
    Eval,
    Event,
    Finished,
    Notice,
    Probe,
    Saved,
    Started,
    State,
    Step,
)  # fmt: skip
from .finish import finish_run
from .generate import answer_batch, prompt_room
from .model import GPT
from .optim import Optimizer, learning_rate
from .prepare import Prepared, prepare
from .prompt_loss import losses
from .recorder import Recorder
from .runs import Run, new_run, runs_folder
from .sample import write_sample
from .sources import cache_folder
from .start import Start, load_start, require_start
from .tokenizer import Tokenizer

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
RECORDS = ("training.tensorboard",)  # may change when a run goes on, though not while it does
WARM_STEPS = 5  # the first steps allocate memory and would make every estimate of the time left too long


def train(
    config: Config | None = None,
    run: Run | None = None,
    control: Control | None = None,
    *,
    resume: bool = False,
) -> Iterator[Event]:
    """Train a model, recording everything in a run directory.

    A new run needs ``config``; ``resume`` goes on with ``run`` from its newest whole checkpoint, taking over
    from ``config`` (if given) only settings that may change during a run. Raises ``UserError`` subclasses for
    what the user can put right; the last event of a training that ended by itself is ``Finished``.
    """
    control = control or Control()
    if resume:
        if run is None:
            raise RunError("resume needs a run")
        if run.imported():
            raise RunError(
                "{run}: this run was imported, there is no training in it to go on with; train it further in a new "
                "run: gpt-tui train --from {name}",
                run=str(run.path),
                name=run.name,
            )
        stored = run.config()
        config = stored if config is None else _resumed_config(stored, config)
    elif config is None:
        config = Config()
    if config.training.tensorboard:
        require_tensorboard()
    if run is None:
        run = new_run(runs_folder(), None, config.recipe)
    existed = run.path.exists()
    run.require_own_files()
    if not resume:
        require_start(config)
        run.create(config)
    lock = run.lock
    lock.acquire()
    trainer: Trainer | None = None
    try:
        trainer = Trainer(config, run, control)
        with Recorder(run) as recorder, EventFiles(run.path / "tensorboard", config) as event_files:
            for event in trainer.run(recorder, resume):
                recorder.write(event)
                event_files.write(event)
                yield event
    except UserError:
        if not existed and not (trainer and trainer.started):
            run.remove()  # or its name would be taken by a run in which nothing was ever learnt
        raise
    except (MemoryError, RuntimeError) as problem:
        if machine.is_out_of_memory(problem):
            raise recovery.out_of_memory() from None
        raise
    finally:
        lock.release()


def _resumed_config(stored: Config, wanted: Config) -> Config:
    """``stored`` with the live settings of ``wanted``, and with what it records; other differences are refused."""
    changes: dict[str, Any] = {}
    for key, setting in settings().items():
        if stored.get(key) == wanted.get(key):
            continue
        if not (setting.live or key in RECORDS):
            raise ConfigError("{key}: cannot change when a run goes on; start a new run for that", key=key)
        changes[key] = wanted.get(key)
    return stored.update(changes)


@dataclass
class Progress:
    """Where a training stands: everything, besides weights, that a resumed run needs to go on identically."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    """Next batch of the epoch."""
    tokens: int = 0
    elapsed: float = 0.0
    """Seconds of training, pauses not counted."""
    best_loss: float | None = None
    best_step: int = 0
    evals_without_gain: int = 0
    last_eval: float | None = None
    evaluated: int = -1
    """The step of the last evaluation."""
    lr_scale: float = 1.0
    rollbacks: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0
    usual_norm: float = 0.0
    """Running mean of gradient lengths."""
    micro_batch: int | None = None
    """Rows computed at once, where the memory did not suffice for as many as the settings say."""
    # sums over the running log interval, so that its line is the same after a resume
    loss_sum: float = 0.0
    loss_tokens: int = 0
    last_loss: float | None = None
    probes: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def from_state(cls, values: Any, folder: Path) -> Progress:
        """Out of ``state.json``; what it lacks is as at the beginning. Raises ``CheckpointError`` for what no training
        has saved: a checkpoint may come from a stranger."""
        found: dict[str, Any] = {}
        for name, known in cls.__dataclass_fields__.items():
            value = values.get(name) if isinstance(values, dict) else values
            if value is None:
                continue
            kinds = _KINDS[str(known.type).removesuffix(" | None")]
            if type(value) not in kinds or (list not in kinds and not -1 <= value < 1e18):
                raise CheckpointError("{path}: does not fit: {reason}", path=str(folder), reason=name)
            found[name] = value
        return cls(**found)


_KINDS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "list[dict[str, Any]]": (list,)}


@dataclass(frozen=True)
class StepResult:
    loss_sum: float
    supervised: int
    real_tokens: int
    grad_norm: float
    fault: str
    """What makes it worthless, '' where nothing does; see ``recovery.fault_of``."""

    @property
    def good(self) -> bool:
        return not self.fault


class Trainer:
    """One training of one run."""

    def __init__(self, config: Config, run: Run, control: Control) -> None:
        self.config, self.path, self.control = config, run, control
        self.progress = Progress()
        self.saved_step = -1
        """The step of the newest whole checkpoint."""
        self.device = machine.choose_device(config.training.device)
        self.threads = config.training.threads or machine.usable_cores()
        self.dtype_name = machine.choose_dtype(config.training.dtype, self.device)
        self.origin: dict[str, Any] | None = None
        """The checkpoint that the weights came from, where they were not fresh."""
        self.sampled_step = 0
        self.started = False
        """Everything is prepared and the first step comes next."""
        self.began = time.perf_counter()
        self.disk = recovery.Disk(control, run.path, self.hand_out_copies)

    # -- the pieces -----------------------------------------------------------------------------------------

    def step(self, rows: np.ndarray[Any, np.dtype[np.int64]], lr: float) -> StepResult:
        """One optimizer step on the given rows.

        The gradient is that of the mean loss over all supervised tokens of the batch, however many
        micro-batches it is computed in: each adds its sum divided by the tokens of the whole batch.
        """
        training = self.config.training
        data = self.prepared.train
        # Dropout is a function of seed and step: nothing of torch's generator has to survive a resume, and
        # nobody else drawing from it can change the training.
        torch.manual_seed(training.seed * 1_000_003 + self.progress.step)
        batches = [
            collate(data, micro, self.prepared.tokenizer.pad, self.device)
            for micro in split_rows(rows, self.micro_batch())
        ]
        machine.require_device((("batch", batch.inputs) for batch in batches), self.device)
        supervised = sum(batch.supervised for batch in batches)
        loss_sum = 0.0
        for number, batch in enumerate(batches):
            if training.prompt_loss:
                goal, loss = losses(self.model, batch, training.prompt_loss, self.prepared.tokenizer.pad)
            else:
                goal = loss = self.model.loss_sum(batch.inputs, batch.targets)
            (goal / max(1, supervised)).backward()  # type: ignore[no-untyped-call]
            self.optimizer.collect_gradients(first=number == 0)
            loss_sum += float(loss.detach())
        norm = self.optimizer.clip(training.grad_clip)
        fault = recovery.fault_of(loss_sum, norm, self.progress.usual_norm)
        if not fault:
            self.optimizer.step(lr)
        return StepResult(loss_sum, supervised, sum(b.real_tokens for b in batches), norm, fault)

    def micro_batch(self) -> int | None:
        """Rows computed at once; None: all of a batch."""
        return self.progress.micro_batch or self.config.training.micro_batch

    def total_steps(self) -> int | None:
        """Optimizer steps that the settings allow; None when only time limits them."""
        training = self.config.training
        per_epoch = batches_per_epoch(len(self.prepared.train), training.batch_size)
        limits = [] if training.max_steps is None else [training.max_steps]
        if training.max_epochs is not None:
            limits.append(max(1, math.ceil(training.max_epochs * per_epoch)))
        return min(limits, default=None)

    def done_share(self, ahead: float = 0.0) -> float:
        """0..1 of the budget used, of steps or of minutes, whichever is further; ``ahead`` in steps."""
        total, minutes = self.total_steps(), self.config.training.max_minutes
        by_steps = (self.progress.step + ahead) / total if total else 0.0
        by_time = self.progress.elapsed / (60.0 * minutes) if minutes else 0.0
        return min(1.0, max(by_steps, by_time))

    def why_end(self) -> str:
        """The reason to end now, '' to go on."""
        training, progress = self.config.training, self.progress
        if self.control.stop:
            return self.control.stop
        if training.max_minutes is not None and progress.elapsed >= 60.0 * training.max_minutes:
            return "max_minutes"
        total = self.total_steps()
        if total is not None and progress.step >= total:
            return "max_steps" if total == training.max_steps else "max_epochs"
        return ""

    # -- start and resume -----------------------------------------------------------------------------------

    def build(self, weights: dict[str, torch.Tensor] | None, memory: dict[str, torch.Tensor] | None) -> None:
        """The model and its optimizer, fresh from the seed or with saved weights."""
        training = self.config.training
        self.model = GPT(self.config.model, self.prepared.tokenizer.vocab_size).init_weights(training.seed)
        tuning.limit_training(self.model, self.config)
        self.model.to(self.device).train()
        self.optimizer = Optimizer(self.model, training, DTYPES[self.dtype_name])
        if weights is not None:
            memory = memory or {}
            fresh = lora.factors(self.optimizer.weights())  # what the tuned model cannot have
            self.optimizer.load(fresh | lora.put_apart(weights, memory), memory)
        machine.require_device([*self.model.named_parameters(), *self.model.named_buffers()], self.device)

    def begin(self, start: Start | None) -> None:
        """Before the first step: fresh weights, or those that the training begins with."""
        self.origin = start.about if start else None
        self.build(start.weights if start else None, None)

    def begin_again(self) -> None:
        """Back to the weights before the first step."""
        self.progress = Progress()
        self.begin(load_start(self.config))

    def restore(self) -> Iterator[Event]:
        """Take up the newest whole checkpoint; damaged newer ones are named."""
        folder, problems = checkpoint.newest(self.path.checkpoints)
        for problem in problems:
            yield Notice("{problem}; the checkpoint before it is used", {"problem": problem}, level="warning")
        state, weights, memory = checkpoint.load(folder, optimizer=True)
        self.progress = Progress.from_state(state.get("progress"), folder)
        self.saved_step = self.progress.step
        if state.get("data_sha256") != self.prepared.report["sha256"]:
            # The order of an epoch is a function of its rows: a place in the middle of it means nothing any more.
            self.progress.epoch, self.progress.batch = self.progress.epoch + 1, 0
            yield Notice(
                "the data changed since step {step}: its rows come in a new order from here on",
                {"step": self.progress.step},
                level="warning",
            )
        dtype = str(state.get("dtype"))
        self.dtype_name = dtype if dtype in DTYPES else self.dtype_name
        self.origin = state.get("start")
        try:
            self.build(weights, memory)
        except (KeyError, RuntimeError) as problem:
            if machine.is_out_of_memory(problem):
                raise
            reason = str(problem).splitlines()[0][:160]
            raise CheckpointError("{path}: does not fit: {reason}", path=str(folder), reason=reason) from None
        if self.progress.batch >= batches_per_epoch(len(self.prepared.train), self.config.training.batch_size):
            self.progress.epoch, self.progress.batch = self.progress.epoch + 1, 0

    # -- the run --------------------------------------------------------------------------------------------

    def run(self, recorder: Recorder, resume: bool) -> Iterator[Event]:
        self.recorder = recorder
        torch.set_num_threads(self.threads)
        checkpoint.mend(self.path.checkpoints)
        known = resume and self.path.tokenizer_file.is_file()
        tokenizer = Tokenizer.load(self.path.tokenizer_file) if known else None
        trained = resume and bool(checkpoint.step_checkpoints(self.path.checkpoints))
        start = None if trained else load_start(self.config)
        cache = cache_folder(self.path.path.parent)
        given = tokenizer or (start.tokenizer if start else None)
        self.prepared: Prepared = yield from prepare(self.config, given, cache)
        machine.give_back_memory()
        if trained:
            yield from self.restore()
        else:
            self.begin(start)
        begun = start is not None
        del start  # its weights, which are not needed twice
        machine.give_back_memory()
        step = self.progress.step
        if resume:
            yield from self.disk.write("metrics.jsonl", lambda: recorder.forget_after(step), step)
            yield from self.disk.write("config.yaml", lambda: self.path.save_config(self.config), step)
        if tokenizer is None:
            vocabulary = self.prepared.tokenizer
            yield from self.disk.write("tokenizer.json", lambda: self.path.save_tokenizer(vocabulary), step)
        self.started = True
        yield Started(
            self.path.name, str(self.path.path), self.config.recipe, self.progress.step, self.device, self.threads,
            self.dtype_name, tuning.count(self.model)[0], self.prepared.tokenizer.vocab_size,
            self.total_steps(), self.config.training.max_minutes, self.prepared.report, time.time(),
        )  # fmt: skip
        if begun and self.origin:
            yield Notice("beginning with the weights of {run}, {checkpoint} (step {step})", self.origin)
        if notice := tuning.tuning_notice(self.model, self.config):
            yield notice
        reason = yield from self.loop()
        if self.control.discard and reason == self.control.stop:
            yield self.finished(reason)
            return
        yield from self.wrap_up(reason)

    def loop(self) -> Any:
        """Step until there is a reason to end; returns the reason."""
        progress = self.progress
        yield State("training", progress.step)
        lengths = self.prepared.train.lengths
        order: list[np.ndarray[Any, np.dtype[np.int64]]] = []
        order_of = -1
        clock = self.now()
        warm: tuple[float, float] | None = None  # (elapsed, share) after the first steps, for the estimate
        first_step = progress.step
        step_seconds, step_tokens = 0.0, 0
        while not (reason := self.why_end()):
            if recovery.no_room(self.recorder.problem):
                yield from self.disk.write("metrics.jsonl", self.recorder.write_waiting, progress.step)
                continue
            if self.control.paused:
                clock = yield from self.pause(clock)
                continue
            yield from self.apply_updates()
            self.hand_out_copies()
            training = self.config.training
            if order_of != progress.epoch:
                order, order_of = (
                    epoch_order(lengths, training.batch_size, training.seed, progress.epoch),
                    progress.epoch,
                )
            lr = learning_rate(self.done_share(ahead=0.5), training) * progress.lr_scale
            begin = time.perf_counter()
            result = yield from recovery.step_within_memory(self, order[progress.batch], lr)
            step_seconds += time.perf_counter() - begin
            step_tokens += result.real_tokens
            if not result.good:
                yield from recovery.skip_or_go_back(self, result)
                progress, order_of = self.progress, -1
                continue
            progress.skipped_in_a_row = 0
            progress.usual_norm = recovery.usual_length(progress.usual_norm, result.grad_norm)
            progress.step += 1
            progress.batch += 1
            progress.tokens += result.real_tokens
            progress.loss_sum += result.loss_sum
            progress.loss_tokens += result.supervised
            if progress.batch >= len(order):
                progress.epoch, progress.batch = progress.epoch + 1, 0
            now = self.now()
            progress.elapsed += now - clock
            clock = now
            if warm is None and progress.step - first_step >= WARM_STEPS:
                warm = (progress.elapsed, self.done_share())
            if progress.step % training.log_interval == 0:
                rate = step_tokens / step_seconds if step_seconds > 0 else 0.0
                yield self.step_event(lr, result.grad_norm, rate, warm, len(order))
                step_seconds, step_tokens = 0.0, 0
            if progress.step % training.eval_interval == 0:
                yield from self.evaluate()
                reason = self.why_stop_early()
                if reason:
                    break
                yield State("training", progress.step)
            if not progress.batch:
                yield from self.sample()
            if self.control.save_now or progress.step % training.save_interval == 0:
                self.control.save_now = False
                if not self.why_end():  # the last step is saved after its evaluation
                    yield from self.save()
        progress.elapsed += self.now() - clock
        return reason

    def now(self) -> float:
        """Seconds on a clock that stands still while the training waits for room on the disk."""
        return time.perf_counter() - self.disk.waited

    def step_event(
        self, lr: float, grad_norm: float, rate: float, warm: tuple[float, float] | None, per_epoch: int
    ) -> Step:
        progress = self.progress
        share = self.done_share()
        eta = None
        if warm is not None and share > warm[1]:
            eta = (progress.elapsed - warm[0]) * (1.0 - share) / (share - warm[1])
        loss = progress.loss_sum / max(1, progress.loss_tokens)
        progress.last_loss, progress.loss_sum, progress.loss_tokens = loss, 0.0, 0
        return Step(
            progress.step, loss, lr, grad_norm, rate, progress.elapsed, eta,
            progress.epoch + progress.batch / per_epoch, progress.tokens, share,
        )  # fmt: skip

    def evaluate(self) -> Iterator[Event]:
        """Validation loss, the best checkpoint, and the probe questions."""
        progress = self.progress
        progress.evaluated = progress.step
        if self.prepared.valid is not None:
            yield State("evaluating", progress.step)
            loss = evaluate_loss(
                self.model, self.prepared.valid, self.prepared.tokenizer.pad, self.device,
                self.config.training.eval_batches,
            )  # fmt: skip
            better = math.isfinite(loss) and (progress.best_loss is None or loss < progress.best_loss)
            progress.last_eval = loss if math.isfinite(loss) else None
            progress.evals_without_gain = 0 if better else progress.evals_without_gain + 1
            if better:
                progress.best_loss, progress.best_step = loss, progress.step
            best = math.inf if progress.best_loss is None else progress.best_loss
            yield Eval(progress.step, loss, best, progress.best_step, better)
            if better:
                yield from self.save(tag="best")
        yield from self.ask_probes()
        machine.give_back_memory()

    def ask_probes(self) -> Iterator[Event]:
        probes = self.config.data.probes
        if not probes:
            return
        tokenizer, sampling = self.prepared.tokenizer, self.config.sampling
        room = prompt_room(self.config.model.seq_len, sampling.max_new_tokens)
        prompts = [encode_prompt(p.prompt, tokenizer, self.prepared.template, room) for p in probes]
        self.model.eval()
        answers = dict(answer_batch(self.model, tokenizer, prompts, sampling))
        self.model.train()
        events = [
            Probe(
                self.progress.step, p.prompt, answers[i], p.expected,
                p.expected is not None and grade(answers[i], p.expected) == "EXACT",
            )
            for i, p in enumerate(probes)
        ]  # fmt: skip
        self.progress.probes = [asdict(event) for event in events]
        yield from events

    def sample(self) -> Iterator[Event]:
        """Once an epoch and at the end: what the model writes after ``data.start_context``."""
        progress = self.progress
        if self.config.data.start_context and self.sampled_step != progress.step:
            self.sampled_step = progress.step
            yield write_sample(self.model, self.prepared.tokenizer, self.config, progress.step, progress.epoch)

    def why_stop_early(self) -> str:
        training, progress = self.config.training, self.progress
        if training.early_stopping_patience and progress.evals_without_gain >= training.early_stopping_patience:
            return "early_stopping"
        if training.stop_loss is not None:
            # The validation loss or, without one, the mean over a log interval: never one micro-batch.
            loss = progress.last_eval if self.prepared.valid is not None else progress.last_loss
            if loss is not None and loss <= training.stop_loss:
                return "stop_loss"
        return ""

    def pause(self, clock: float) -> Any:
        """Wait until resumed or stopped; the time does not count. Returns the new clock."""
        self.progress.elapsed += self.now() - clock
        yield State("paused", self.progress.step)
        while self.control.paused and not self.control.stop:
            self.control.wait_while_paused(0.25)
            self.hand_out_copies()
            if self.control.save_now:
                self.control.save_now = False
                yield from self.save()
        yield State("training", self.progress.step)
        return self.now()

    def hand_out_copies(self) -> None:
        """Copies of the weights for whoever asked, made here because only here no step is under way."""
        for request in self.control.take_copy_requests():
            weights = {name: weight.detach().to("cpu", copy=True) for name, weight in self.weights().items()}
            request.set_result(LiveCopy(weights, self.config, self.prepared.tokenizer, self.progress.step))

    def apply_updates(self) -> Iterator[Event]:
        """New values of live settings; a bad one is told, not raised."""
        for key, value in self.control.take_updates().items():
            setting = settings().get(key)
            if setting is None or not setting.live:
                yield Notice("{key}: cannot change during a run", {"key": key}, level="warning")
                continue
            try:
                self.config = self.config.update({key: value})
            except ConfigError as problem:
                yield Notice("{problem}", {"problem": str(problem)}, level="warning")
                continue
            try:
                self.path.save_config(self.config)
            except OSError as problem:
                reason = problem.strerror or str(problem)
                yield Notice("config.yaml not written: {reason}", {"reason": reason}, level="warning")
            yield Changed(self.progress.step, {key: value})

    # -- saving and the end -----------------------------------------------------------------------------------

    def weights(self) -> dict[str, torch.Tensor]:
        """What the model is now, by parameter name, fp32, LoRA's factors merged."""
        return lora.merged(self.optimizer.weights(), self.config.lora)

    def state(self) -> dict[str, Any]:
        """``state.json``: what makes a checkpoint self-describing and a resume exact."""
        return {
            "step": self.progress.step,
            "progress": asdict(self.progress),
            "config": self.config.to_dict(),
            "dtype": self.dtype_name,
            "device": self.device,
            "tokenizer_sha256": self.prepared.tokenizer.fingerprint(),
            "data_sha256": self.prepared.report["sha256"],
            "run": self.path.name,
            "start": self.origin,
            "code": machine.code_version(),
            "torch": torch.__version__,
        }

    def save(self, tag: str = "last", *, final: bool = False) -> Iterator[Event]:
        """Write a checkpoint: 'last' with all that a resume needs, 'best' only to be used.

        A full disk is waited for. What else the system refuses is told; only of the ``final`` one, without which
        steps would be lost, is it a ``RunError``.
        """
        step = self.progress.step
        yield State("saving", step)
        folder = checkpoint.step_folder(self.path.checkpoints, step) if tag == "last" else self.path.checkpoints / tag
        memory = self.optimizer.state() | lora.apart(self.optimizer.weights()) if tag == "last" else None
        state, vocabulary, weights = self.state(), self.prepared.tokenizer.to_json(), self.weights()
        try:
            size = yield from self.disk.write(
                f"checkpoints/{folder.name}",
                lambda: checkpoint.save(folder, state, vocabulary, weights, memory), step,
            )  # fmt: skip
        except OSError as problem:
            reason = recovery.reason_of(problem)
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
                    {"saved": max(0, self.saved_step)},
                    level="warning",
                )
            return
        if tag == "last":
            self.saved_step = step
            with contextlib.suppress(OSError):  # what cannot be deleted now goes with the next one
                checkpoint.prune(self.path.checkpoints, self.config.training.keep_checkpoints, upto=folder)
        yield Saved(step, str(folder), tag, size)
        yield State("training", step)

    def wrap_up(self, reason: str) -> Iterator[Event]:
        """After the last step: evaluate, save, and, unless the user stopped it, verify and report."""
        progress = self.progress
        if progress.evaluated != progress.step and not self.control.stop:
            yield from self.evaluate()
        if not self.control.stop:
            yield from self.sample()
        if self.saved_step != progress.step:
            yield from self.save(final=True)
        if not self.control.stop:
            report = self.report(reason)
            del self.model, self.optimizer  # what follows reads the checkpoint back and needs the room
            self.disk.meanwhile = lambda: None  # nothing is left to hand out copies of
            machine.give_back_memory()
            yield from finish_run(self.path, self.config, self.prepared, report, self.disk)
        yield State("done", progress.step)
        yield self.finished(reason)

    def train_loss(self) -> float | None:
        """The loss of the last log interval or, of a run shorter than one, of all its steps."""
        progress = self.progress
        if progress.last_loss is None and progress.loss_tokens:
            return progress.loss_sum / progress.loss_tokens
        return progress.last_loss

    def report(self, reason: str) -> dict[str, Any]:
        """What ``report.json`` says about the training itself."""
        progress = self.progress
        return {
            "run": self.path.name,
            "recipe": self.config.recipe,
            "start": self.origin,
            "reason": reason,
            "steps": progress.step,
            "epochs": progress.epoch
            + progress.batch / batches_per_epoch(len(self.prepared.train), self.config.training.batch_size),
            "tokens": progress.tokens,
            "train_seconds": progress.elapsed,
            "seed": self.config.training.seed,
            "parameters": tuning.count(self.model)[0],
            "learning_parameters": tuning.count(self.model)[1],
            "loss": self.train_loss(),
            "eval_loss": progress.last_eval,
            "best_loss": progress.best_loss,
            "best_step": progress.best_step,
            "skipped_steps": progress.skipped,
            "probes": progress.probes,
            "dtype": self.dtype_name,
            "device": self.device,
            "threads": self.threads,
        }

    def finished(self, reason: str) -> Finished:
        progress = self.progress
        return Finished(
            reason, progress.step, progress.elapsed, time.perf_counter() - self.began, self.train_loss(),
            progress.best_loss, progress.best_step,
        )  # fmt: skip


make_callable(__name__)
