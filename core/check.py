"""Whether a run directory is whole: its settings, checkpoints, record, report, and what a crash left behind.

Nothing is changed and nothing of a checkpoint is run; what is found comes as ``Finding`` records.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from . import checkpoint
from .errors import Phrase, RunError, UserError
from .events import KINDS, Step, from_json, goes_back_to
from .runs import MAX_METRIC_LINE, Run, metric_lines, parsed_line
from .storage import read_json
from .tokenizer import Tokenizer

MOST_TOLD = 5  # of findings of the same sort in one file


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: str
    """'ok'; 'note': harmless; 'error': something is damaged or lost."""
    what: str
    """A ``Phrase`` or a text made from data."""
    advice: str = ""
    """What to do, a ``Phrase``."""


def check_run(run: Run) -> Iterator[Finding]:
    """Look at everything in a run directory. Raises ``RunError`` where there is no run."""
    if not run.path.is_dir():
        raise RunError("{run}: no such run (no config.yaml in it)", run=str(run.path))
    yield from _settings(run)
    yield from _vocabulary(run)
    yield from _checkpoints(run)
    yield from _record(run)
    yield from _report(run)
    yield from _lock(run)
    yield from _leftovers(run)
    yield from _privacy(run)


def _settings(run: Run) -> Iterator[Finding]:
    try:
        config = run.config()
    except UserError as problem:
        yield Finding("error", _said(problem), Phrase("copy config.yaml from a checkpoint's state.json, or train anew"))
        return
    yield Finding("ok", Phrase("config.yaml: recipe {recipe}", recipe=config.recipe))


def _vocabulary(run: Run) -> Iterator[Finding]:
    if not run.tokenizer_file.exists() and not checkpoint.step_checkpoints(run.checkpoints):
        yield Finding("note", Phrase("tokenizer.json: not there yet, nothing was learnt"))
        return
    try:
        tokenizer = Tokenizer.load(run.tokenizer_file)
    except UserError as problem:
        yield Finding("error", _said(problem), Phrase("copy tokenizer.json from a whole checkpoint of this run"))
        return
    yield Finding("ok", Phrase("tokenizer.json: {size} tokens", size=tokenizer.vocab_size))


def _checkpoints(run: Run) -> Iterator[Finding]:
    folders = checkpoint.step_checkpoints(run.checkpoints)
    whole = 0
    for folder in [*folders, *(run.checkpoints / name for name in ("best", "int8"))]:
        if not os.path.lexists(folder):
            continue
        try:
            state, weights, _ = checkpoint.load(folder, optimizer=True)
            numbers = sum(tensor.numel() for tensor in weights.values())
        except UserError as problem:
            yield Finding("error", _said(problem), Phrase("delete this checkpoint; the others are not affected"))
            continue
        if folder in folders and f"{state.get('step'):>08}" not in folder.name:
            yield Finding(
                "error",
                Phrase("{path}: holds step {step}", path=str(folder), step=state.get("step")),
                Phrase("delete this checkpoint; the others are not affected"),
            )
            continue
        whole += folder in folders
        yield Finding("ok", Phrase("checkpoints/{name}: step {step}, {numbers} numbers, all checksums match",
                                   name=folder.name, step=state.get("step"), numbers=numbers))  # fmt: skip
    if folders and not whole:
        yield Finding(
            "error", Phrase("no whole checkpoint to go on from"), Phrase("train anew under another --run name")
        )
    elif not folders:
        yield Finding("note", Phrase("no checkpoint yet"))


def _record(run: Run) -> Iterator[Finding]:
    """Every line of ``metrics.jsonl`` an event, and the steps in order."""
    if not run.metrics.exists():
        yield Finding("note", Phrase("metrics.jsonl: not there yet, nothing happened"))
        return
    path = str(run.metrics)
    lines = damaged = disordered = last = 0
    try:
        for number, line in metric_lines(run.metrics):
            lines = number
            value = parsed_line(line) or {}
            kind, event = value.get("kind"), from_json(value)
            if not isinstance(kind, str) or (event is None and kind in KINDS):  # a later version may have others
                if not line.endswith(b"\n") and len(line) < MAX_METRIC_LINE:
                    yield Finding("note", Phrase("{path}:{line}: half a line, as a killed process leaves it",
                                                 path=path, line=number))  # fmt: skip
                    continue
                damaged += 1
                if damaged <= MOST_TOLD:
                    yield Finding("error", Phrase("{path}:{line}: not an event", path=path, line=number),
                                  Phrase("delete the line; curves lack what stood there"))  # fmt: skip
                continue
            back = goes_back_to(event) if event is not None else None
            if back is not None:
                last = min(last, back)
            elif isinstance(event, Step):
                if event.step <= last:
                    disordered += 1
                    if disordered <= MOST_TOLD:
                        yield Finding(
                            "error",
                            Phrase("{path}:{line}: step {step} after step {last}", path=path, line=number,
                                   step=event.step, last=last),
                            Phrase("two processes wrote to it, or it was edited; curves may jump"),
                        )  # fmt: skip
                last = event.step
    except UserError as problem:
        yield Finding("error", _said(problem), Phrase("curves and gpt-tui runs need this file; a resume does not"))
        return
    if damaged > MOST_TOLD or disordered > MOST_TOLD:
        yield Finding("error", Phrase("{path}: {damaged} damaged lines, {disordered} steps out of order", path=path,
                                      damaged=damaged, disordered=disordered))  # fmt: skip
    if not damaged and not disordered:
        yield Finding("ok", Phrase("metrics.jsonl: {lines} lines, up to step {step}", lines=lines, step=last))


def _report(run: Run) -> Iterator[Finding]:
    path = run.path / "report.json"
    if not os.path.lexists(path):
        yield Finding("note", Phrase("report.json: not there, the run was not trained to its end"))
        return
    try:
        report = read_json(path, error=RunError)
        if not isinstance(report, dict):
            raise RunError("{path}: not a report", path=str(path))
    except UserError as problem:
        yield Finding("error", _said(problem), Phrase("go on with --resume: it is written again"))
        return
    loss = report.get("loss")
    shown = f"{loss:.4f}" if isinstance(loss, float) and math.isfinite(loss) else "–"
    yield Finding("ok", Phrase("report.json: {steps} steps, loss {loss}", steps=report.get("steps"), loss=shown))


def _lock(run: Run) -> Iterator[Finding]:
    if run.lock.is_held():
        holder = run.lock.holder()
        yield Finding(
            "note",
            Phrase("lock: process {pid} on {host} is writing to it", pid=holder["pid"], host=holder["host"]),
            Phrase("look again when it has ended: what it is writing now may be shown as left over"),
        )
    else:
        yield Finding("ok", Phrase("lock: free"))


def _leftovers(run: Run) -> Iterator[Finding]:
    for folder in (run.path, run.checkpoints, run.path / "figures"):
        for path in sorted(folder.glob(".*")) if folder.is_dir() else []:
            if path.suffix == ".tmp":
                yield Finding(
                    "note",
                    Phrase("{path}: left by an interrupted write", path=str(path)),
                    Phrase("harmless; it goes with the next checkpoint, or delete it"),
                )
            elif path.suffix == ".old":
                yield Finding(
                    "note",
                    Phrase("{path}: a checkpoint that was just being replaced", path=str(path)),
                    Phrase("harmless; the next --resume puts it in order"),
                )


def _privacy(run: Run) -> Iterator[Finding]:
    if os.name == "posix" and stat.S_IMODE(run.path.stat().st_mode) & 0o077:
        yield Finding(
            "note",
            Phrase("{path}: other users of this machine can look into it", path=str(run.path)),
            Phrase("if they should not: chmod 700 on the folder"),
        )


def _said(problem: UserError) -> Phrase:
    return Phrase(problem.template, **problem.values)
