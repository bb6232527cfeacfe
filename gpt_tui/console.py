"""Training events as lines of text: the console, and the run's ``train.log``."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.events import (
    Changed,
    Eval,
    Event,
    Finished,
    Notice,
    Probe,
    Quantized,
    Responses,
    RolledBack,
    Sample,
    Saved,
    Skipped,
    Started,
    State,
    Step,
    Verified,
)  # fmt: skip
from core.storage import LineFile
from core.text import printable

from .format import duration, number, percent, size
from .i18n import WORDS, _, translated
from .verdicts import part_name, test_line


def lines(event: Event, total_steps: int | None = None) -> Iterator[str]:
    """What an event says, in the chosen language; nothing for events that only move a state."""
    if isinstance(event, Started):
        yield from _started(event)
    elif isinstance(event, Notice):
        text = printable(translated(event, WORDS | {"name"}))  # the name of a part: train, valid
        yield (_("warning: {text}") if event.level == "warning" else _("note: {text}")).format(text=text)
    elif isinstance(event, Step):
        of = f"/{total_steps}" if total_steps else ""
        yield _(
            "step {step} | loss {loss:.4f} | lr {lr:.2e} | grad {grad:.2f} | {rate:,.0f} tok/s | "
            "elapsed {elapsed} | eta {eta}"
        ).format(
            step=f"{event.step}{of}".rjust(9), loss=event.loss, lr=event.lr, grad=event.grad_norm,
            rate=event.tokens_per_second, elapsed=duration(event.elapsed), eta=duration(event.eta),
        )  # fmt: skip
    elif isinstance(event, Eval):
        text = _("eval at step {step} | loss {loss:.4f}").format(step=event.step, loss=event.loss)
        best = _("best so far") if event.improved else _("best {best:.4f} @ step {step}").format(
            best=event.best, step=event.best_step
        )  # fmt: skip
        yield f"{text} | {best}"
    elif isinstance(event, Probe):
        mark = "✓" if event.exact else ("✗" if event.expected else " ")
        yield f"  {mark} {printable(event.prompt)} → {printable(event.answer)}"
    elif isinstance(event, Saved):
        yield _("saved {tag} at step {step}: {path} ({size})").format(
            tag=event.tag, step=event.step, path=printable(event.path), size=size(event.bytes)
        )
    elif isinstance(event, Skipped) and event.fault == "exploded":
        yield _("warning: the gradient of step {step} exploded, the step was skipped ({total} so far)").format(
            step=event.step, total=event.total
        )
    elif isinstance(event, Skipped):
        yield _("warning: step {step} gave no finite loss or gradient and was skipped ({total} so far)").format(
            step=event.step, total=event.total
        )
    elif isinstance(event, RolledBack):
        yield _("warning: back from step {step} to step {to}, learning rate times {scale}").format(
            step=event.step, to=event.to_step, scale=event.lr_scale
        )
    elif isinstance(event, Changed):
        changes = ", ".join(f"{key} = {value}" for key, value in event.values.items())
        yield _("changed at step {step}: {changes}").format(step=event.step, changes=changes)
    elif isinstance(event, Sample):
        words = (
            _("after epoch {epoch}, step {step}: {prompt}{text}") if event.epoch else _("step {step}: {prompt}{text}")
        )
        yield words.format(
            epoch=event.epoch, step=event.step, prompt=printable(event.prompt), text=printable(event.text)
        )
    elif isinstance(event, State) and event.state in STATES:
        yield {
            "paused": _("paused"),
            "making_corpus": _("making the corpus"),
            "downloading": _("downloading the data"),
            "verifying": _("asking all questions once more"),
            "answering": _("answering the test rows"),
            "tokenizing": _("learning the vocabulary"),
        }[event.state]
    elif isinstance(event, Verified):
        yield from _verified(event)
    elif isinstance(event, Responses):
        yield test_line(event.rows, event.path, event.exact, event.loss)
    elif isinstance(event, Quantized) and not event.questions:
        yield _("int8: {small} instead of {large}").format(
            small=size(event.bytes), large=size(event.fp32_bytes))  # fmt: skip
    elif isinstance(event, Quantized):
        yield _(
            "int8: {small} instead of {large}, {agreement} of {questions} answers the same as fp32, "
            "{rate:,.0f} against {fp32:,.0f} tok/s"
        ).format(
            small=size(event.bytes), large=size(event.fp32_bytes), agreement=percent(event.agreement),
            questions=event.questions, rate=event.tokens_per_second, fp32=event.fp32_tokens_per_second,
        )  # fmt: skip
    elif isinstance(event, Finished):
        end = _(
            "{reason} after {steps} steps, {seconds:.1f} s of training, {total:.1f} s in all | loss {loss}"
        ).format(
            reason=_(REASONS.get(event.reason, event.reason)), steps=event.steps, seconds=event.train_seconds,
            total=event.total_seconds, loss=number(event.loss),
        )  # fmt: skip
        if event.best_loss is not None:  # else nothing was evaluated
            end += " | " + _("best eval loss {best} @ step {step}").format(
                best=number(event.best_loss), step=event.best_step)  # fmt: skip
        yield end


#: States that are told.
STATES = ("paused", "verifying", "answering", "tokenizing", "making_corpus", "downloading")

REASONS = {
    "max_steps": "finished",
    "max_epochs": "finished",
    "max_minutes": "finished, the time is used up",
    "early_stopping": "finished early, the evaluation loss no longer falls",
    "stop_loss": "finished early, the loss is low enough",
    "user": "stopped",
    "SIGINT": "stopped by Ctrl+C",
    "SIGTERM": "stopped by the system (SIGTERM)",
}

#: Reasons of an end that somebody brought about: there may be more to learn.
STOPPED = ("user", "SIGINT", "SIGTERM")


def _started(event: Started) -> Iterator[str]:
    data = event.data
    yield _("run {run} ({recipe}) in {path}").format(
        run=printable(event.run), recipe=printable(event.recipe), path=printable(event.path)
    )
    if event.resumed_step:
        yield _("going on from step {step}").format(step=event.resumed_step)
    yield _("device {device} | {threads} threads | {dtype} | {parameters:,} parameters | vocabulary {vocab}").format(
        device=event.device, threads=event.threads, dtype=event.dtype, parameters=event.parameters,
        vocab=event.vocab_size,
    )  # fmt: skip
    for name, label in (("train", _("train")), ("valid", _("valid"))):
        part = data.get(name)
        if part:
            yield _(
                "{label}: {rows} rows, {tokens:,} tokens, {supervised:,} learnt, length {p50} (longest {longest}), "
                "padding {padding}"
            ).format(
                label=label, rows=part["rows"], tokens=part["tokens"], supervised=part["supervised_tokens"],
                p50=part["length"]["p50"], longest=part["length"]["max"], padding=percent(part["padding_share"]),
            )  # fmt: skip
    unseen = data.get("valid_unseen_used")
    if unseen:
        yield _("{label}: {rows} rows").format(label=part_name("valid_unseen"), rows=unseen)
    budget = []
    if event.total_steps:
        budget.append(_("{steps} steps").format(steps=event.total_steps))
    if event.max_minutes:
        budget.append(_("{minutes:g} minutes").format(minutes=event.max_minutes))
    yield _("training for {budget}").format(budget=_(" or ").join(budget))


def _verified(event: Verified) -> Iterator[str]:
    for name, part in event.parts.items():
        rows = [
            (part_name(name), part),
            *[(f"  {printable(kind)}", value) for kind, value in part.get("by_kind", {}).items()],
        ]
        for label, value in rows:
            low, high = value["ci95"]
            yield _(
                "{label}: {exact} of {total} exact ({rate}, 95 % interval {low}–{high}; commonest answer {majority})"
            ).format(
                label=label, exact=value["exact"], total=value["total"], rate=percent(value["exact_rate"]),
                low=percent(low), high=percent(high), majority=percent(value["majority_rate"]),
            )  # fmt: skip


class LogFile:
    """``train.log`` of a run: what the console shows, with the time, kept also when the terminal has gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: LineFile | None = None
        self._waiting: list[str] = []

    def write(self, line: str) -> None:
        """Keep ``line``, also while there is no folder yet or the disk is full."""
        self._waiting.append(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}\n")
        if self._file is None and self._path.parent.is_dir():
            with contextlib.suppress(OSError):
                self._file = LineFile(self._path)
        if self._file is not None:
            self._file.write("".join(self._waiting).encode("utf-8", "backslashreplace"))
            self._waiting.clear()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Console:
    """Prints lines, with a progress bar under them where the output is a terminal."""

    def __init__(self, out: Any = None) -> None:
        self._out = out or sys.stdout
        self._bar = ""
        self._tty = bool(getattr(self._out, "isatty", lambda: False)())
        self._gone = False

    def print(self, line: str) -> None:
        self._write(("\r\x1b[K" if self._bar else "") + line + "\n" + self._bar)

    def progress(self, share: float, text: str) -> None:
        """Draw the bar anew; nothing where the output is not a terminal."""
        if not self._tty:
            return
        cells = 30
        full = round(share * cells)
        self._bar = f"[{'#' * full}{'.' * (cells - full)}] {100 * share:3.0f} %  {text}"
        self._write("\r\x1b[K" + self._bar)

    def clear(self) -> None:
        if self._bar:
            self._bar = ""
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        if self._gone:
            return
        try:
            self._out.write(text)
            self._out.flush()
        except BrokenPipeError:
            raise
        except OSError:  # the terminal has hung up; the training goes on and train.log has it all
            self._gone = True
