"""After the last step: the final checkpoint, its int8 twin, the questions asked once more, the report to hand in."""

from __future__ import annotations

import statistics
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from .. import checkpoint, machine, tuning
from ..config import Config
from ..errors import DataError
from ..evaluate import Graded, ask_in_order, questions_of, summary, summary_by_kind, told
from ..events import Event, Finished, Notice, Quantized, Saved, State, Verified
from ..figures import draw_run
from ..generate import answer
from ..model import GPT
from ..prepare import Prepared
from ..quantize import quantize_weights
from ..records import Record
from ..responses import write_responses
from ..runs import LoadedModel, Run, load_model
from .disk import Disk
from .saving import save
from .trainer import Trainer
from .validation import evaluate, sample

#: Questions on which int8 and fp32 are compared: enough for a share within 5 points, little enough for 1 s.
AGREEMENT_QUESTIONS = 100
#: Questions answered one by one for the rate that a person in a chat would see.
RATE_QUESTIONS = 8


def wrap_up(trainer: Trainer, reason: str) -> Iterator[Event]:
    """Evaluate, save, and, unless the user stopped it, verify and report."""
    progress, control = trainer.progress, trainer.control
    if progress.evaluated != progress.step and not control.stop:
        yield from evaluate(trainer)
    if not control.stop:
        yield from sample(trainer)
    if trainer.saved_step != progress.step:
        yield from save(trainer, final=True)
    if not control.stop:
        report = report_of(trainer, reason)
        del trainer.model, trainer.optimizer  # what follows reads the checkpoint back and needs the room
        trainer.disk.meanwhile = lambda: None  # nothing is left to hand out copies of
        machine.give_back_memory()
        yield from finish_run(trainer.run, trainer.config, trainer.prepared, report, trainer.disk)
    yield State("done", progress.step)
    yield finished(trainer, reason)


def report_of(trainer: Trainer, reason: str) -> dict[str, Any]:
    """What ``report.json`` says about the training itself."""
    progress = trainer.progress
    parameters, learning = tuning.count(trainer.model)
    return {
        "run": trainer.run.name,
        "recipe": trainer.config.recipe,
        "start": trainer.origin,
        "reason": reason,
        "steps": progress.step,
        "epochs": progress.epoch + progress.batch / trainer.per_epoch(),
        "tokens": progress.tokens,
        "train_seconds": progress.elapsed,
        "seed": trainer.config.training.seed,
        "parameters": parameters,
        "learning_parameters": learning,
        "loss": progress.train_loss(),
        "eval_loss": progress.last_eval,
        "best_loss": progress.best_loss,
        "best_step": progress.best_step,
        "skipped_steps": progress.skipped,
        "probes": progress.probes,
        "dtype": trainer.dtype_name,
        "device": trainer.device,
        "threads": trainer.threads,
    }


def finished(trainer: Trainer, reason: str) -> Finished:
    """The last event of a training that ended by itself or was stopped."""
    progress = trainer.progress
    return Finished(
        reason, progress.step, progress.elapsed, trainer.pace.total(), progress.train_loss(),
        progress.best_loss, progress.best_step,
    )  # fmt: skip


def finish_run(run: Run, config: Config, prepared: Prepared, report: dict[str, Any], disk: Disk) -> Iterator[Event]:
    """Verify what was saved, not what is in memory: everything here is read back from the checkpoint."""
    begin = time.perf_counter()
    machine.reuse_memory(most=0)  # the answers need no step's memory: 17 MB less at the highest point of a run
    loaded = load_model(checkpoint.newest(run.checkpoints)[0])
    step = loaded.step
    yield State("finishing", step)
    try:
        yield from _ask_once_more(run, config, prepared, loaded, report, disk)
    except DataError as problem:  # the file was changed during the training; what has been learnt is none the less
        yield Notice("not verified: {problem}", {"problem": problem.args[0]}, level="warning")
    del loaded  # figures take 40 MB of their own
    machine.give_back_memory()
    report["finish_seconds"] = time.perf_counter() - begin
    report["peak_memory_bytes"] = machine.peak_memory()
    report["data"] = prepared.report
    report["machine"] = machine.describe()
    report["settings"] = config.to_dict()
    try:
        yield from disk.write("report.json", lambda: run.write_report(report), step)
    except OSError as problem:
        yield Notice("report.json not written: {reason}", {"reason": str(problem)}, level="warning")
    if config.training.figures:
        yield from draw_run(run)


def _ask_once_more(
    run: Run, config: Config, prepared: Prepared, loaded: LoadedModel, report: dict[str, Any], disk: Disk
) -> Iterator[Event]:
    """The int8 checkpoint and how it compares, the questions of the corpus, those that were never shown."""
    step = loaded.step
    if config.training.int8:
        yield from _write_int8(run, loaded, prepared, report, disk)
        machine.give_back_memory()
    asked = list(_parts(prepared, config.data.verify_rows)) if config.data.verify_rows else []
    if asked:
        yield State("verifying", step)
        parts: dict[str, Any] = {}
        total, done = sum(len(records) for _, records in asked), 0
        for name, records in asked:
            graded = yield from told(_ask(loaded.model, config, prepared, records), "verifying", total, step, done)
            done += len(records)
            parts[name] = summary(graded)
            kinds = summary_by_kind(graded)
            if kinds:
                parts[name]["by_kind"] = kinds
        yield Verified(step, parts)
        report["exact"] = parts
    yield from write_responses(run, loaded, prepared, report)


def _parts(prepared: Prepared, limit: int) -> Iterator[tuple[str, list[Record]]]:
    """Validation rows, those with unseen values apart, then training rows; of more than ``limit`` an even sample."""
    for name, records in (
        ("valid", prepared.valid_records),
        ("valid_unseen", prepared.unseen_records),
        ("train", prepared.train_records),
    ):
        questions = questions_of(records)
        if len(questions) > limit:
            questions = [questions[i * len(questions) // limit] for i in range(limit)]
        if questions:
            yield name, questions


def _ask(
    model: GPT, config: Config, prepared: Prepared, records: Sequence[Record]
) -> Generator[int, None, list[Graded]]:
    """In the order of the records."""
    return ask_in_order(model, prepared.tokenizer, prepared.template, config.sampling, records)


def _write_int8(
    run: Run, loaded: LoadedModel, prepared: Prepared, report: dict[str, Any], disk: Disk
) -> Iterator[Event]:
    weights = quantize_weights(loaded.model, loaded.model.state_dict())
    state = {"step": loaded.step, "config": loaded.config.to_dict(), "dtype": "int8"}
    folder = run.checkpoints / "int8"
    try:
        size = yield from disk.write(
            "checkpoints/int8",
            lambda: checkpoint.save(folder, state, prepared.tokenizer.to_json(), weights), loaded.step,
        )  # fmt: skip
    except OSError as problem:
        yield Notice("int8 checkpoint not written: {reason}", {"reason": str(problem)}, level="warning")
        return
    if size is None:  # stopped while there was no room
        return
    small = load_model(folder)
    yield Saved(loaded.step, str(folder), "int8", small.bytes)
    records = next((r for _, r in _parts(prepared, AGREEMENT_QUESTIONS)), [])
    # Compared row by row: the same instruction may come with many inputs.
    answers: list[list[str]] = []
    models = (loaded, small)
    for model in models:
        machine.give_back_memory()  # what loading and the other model's answers took
        asking = _ask(model.model, model.config, prepared, records)
        before = len(answers) * len(records)
        graded = yield from told(asking, "comparing", 2 * len(records), loaded.step, before)
        answers.append([item.answer for item in graded])
    # Only now: a model that has answered one by one keeps 20 MB for it.
    rates = [_decode_rate(model, records[:RATE_QUESTIONS]) for model in models]
    same = sum(one == other for one, other in zip(*answers, strict=True))
    event = Quantized(
        loaded.step, str(folder), small.bytes, loaded.bytes, same / len(answers[0]) if answers[0] else 1.0,
        len(answers[0]), rates[1], rates[0],
    )  # fmt: skip
    report["int8"] = {key: value for key, value in event.to_json().items() if key not in ("kind", "step", "path")}
    yield event


def _decode_rate(loaded: LoadedModel, records: Sequence[Record]) -> float:
    """Tokens per second of single answers, the middle one of all; 0 where nothing was asked."""
    rates = [answer(loaded, record.prompt).tokens_per_second for record in records]
    return statistics.median(rates) if rates else 0.0
