"""The training loop: batches in, events out.

``train`` is a generator: it does nothing until asked for the next event, and closing it stops the training. ``loop``
goes from step to step, and one step is ``Trainer.step``; what happens around them is in ``training/``, an idea a file.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from . import machine
from .batches import epoch_order
from .callable_module import make_callable
from .config import Config
from .control import Control, Stopped
from .errors import RunError, UserError
from .event_files import EventFiles, require_tensorboard
from .events import Event, Notice, State, Step
from .optim import learning_rate
from .recorder import Recorder
from .runs import Run, new_run, runs_folder
from .start import require_start
from .training.begin import begin, resumed_config
from .training.budget import done_share, why_end, why_stop_early
from .training.disk import no_room
from .training.finish import finished, wrap_up
from .training.recovery import out_of_memory, skip_or_go_back, step_within_memory
from .training.result import StepResult, usual_length
from .training.saving import save
from .training.steering import apply_updates, pause
from .training.trainer import Trainer
from .training.validation import evaluate, sample


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
    what the user can put right; the last event of a training that ended by itself is ``Finished``. Of a new one
    that is stopped before its first step nothing is left.
    """
    control = control or Control()
    if resume:
        if run is None:
            raise RunError("resume needs a run")
        config = resumed_config(run, config)
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
        trainer = Trainer(config, run, control, lock)
        with Recorder(run) as recorder, EventFiles(run.path / "tensorboard", config) as event_files:
            waiting: list[Event] = []
            for event in run_training(trainer, recorder, resume):
                waiting.append(event)
                if trainer.started or not resume:  # what ended before is on record until it really goes on
                    for told in waiting:
                        recorder.write(told)
                        event_files.write(told)
                    waiting.clear()
                yield event
                if not trainer.started:
                    control.look()
    except Stopped:
        if not existed:
            run.remove()
        yield Notice("stopped before the first step: there is nothing to save")
    except UserError:
        if not existed and not (trainer and trainer.started):
            run.remove()  # or its name would be taken by a run in which nothing was ever learnt
        raise
    except (MemoryError, RuntimeError) as problem:
        if machine.is_out_of_memory(problem):
            raise out_of_memory() from None
        raise
    finally:
        lock.release()


def run_training(trainer: Trainer, recorder: Recorder, resume: bool) -> Iterator[Event]:
    """Get ready, step until there is a reason to end, wrap up."""
    yield from begin(trainer, recorder, resume)
    reason = yield from loop(trainer, recorder)
    if trainer.control.discard and reason == trainer.control.stop:
        yield finished(trainer, reason)
    else:
        yield from wrap_up(trainer, reason)


def loop(trainer: Trainer, recorder: Recorder) -> Generator[Event, None, str]:
    """Step until there is a reason to end; returns the reason."""
    control, pace, lengths = trainer.control, trainer.pace, trainer.prepared.train.lengths
    yield State("training", trainer.progress.step)
    pace.start(trainer.progress.step, trainer.progress.elapsed)
    order_of, order = -1, []
    while not (reason := why_end(trainer)):
        control.step = trainer.progress.step
        if no_room(recorder.problem):
            yield from trainer.disk.write("metrics.jsonl", recorder.write_waiting, trainer.progress.step)
            continue
        if control.paused:
            yield from pause(trainer)
            continue
        yield from apply_updates(trainer)
        trainer.hand_out_copies()

        training, progress = trainer.config.training, trainer.progress
        if order_of != progress.epoch:
            order_of = progress.epoch
            order = epoch_order(lengths, training.batch_size, training.seed, progress.epoch)
        lr = learning_rate(done_share(trainer, ahead=0.5), training) * progress.lr_scale
        pace.begin_step()
        result = yield from step_within_memory(trainer, order[progress.batch], lr)
        pace.end_step(result.real_tokens)
        if not result.good:
            yield from skip_or_go_back(trainer, result)
            continue
        count(trainer, result)
        eta = pace.eta(progress.step, progress.elapsed, done_share(trainer))

        if progress.step % training.log_interval == 0:
            yield step_event(trainer, lr, result.grad_norm, pace.take_rate(), eta)
        if progress.step % training.eval_interval == 0:
            yield from evaluate(trainer)
            reason = why_stop_early(trainer)
            if reason:
                break
            yield State("training", progress.step)
        if not progress.batch:
            yield from sample(trainer)
        if control.save_now or progress.step % training.save_interval == 0:
            control.save_now = False
            if not why_end(trainer):  # the last step is saved after its evaluation
                yield from save(trainer)
    trainer.progress.elapsed += pace.lap()
    return reason


def count(trainer: Trainer, result: StepResult) -> None:
    """A good step has been made: on to the next."""
    progress = trainer.progress
    progress.skipped_in_a_row = 0
    progress.usual_norm = usual_length(progress.usual_norm, result.grad_norm)
    progress.step += 1
    progress.tokens += result.real_tokens
    progress.loss_sum += result.loss_sum
    progress.loss_tokens += result.supervised
    progress.next_batch(trainer.per_epoch())
    progress.elapsed += trainer.pace.lap()


def step_event(trainer: Trainer, lr: float, grad_norm: float, rate: float, eta: float | None) -> Step:
    """The line of a log interval; its loss is the mean over the tokens since the last one."""
    progress = trainer.progress
    loss = progress.loss_sum / max(1, progress.loss_tokens)
    progress.last_loss, progress.loss_sum, progress.loss_tokens = loss, 0.0, 0
    return Step(
        progress.step, loss, lr, grad_norm, rate, progress.elapsed, eta,
        progress.epoch + progress.batch / trainer.per_epoch(), progress.tokens, done_share(trainer),
    )  # fmt: skip


make_callable(__name__)
