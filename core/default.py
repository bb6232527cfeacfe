"""The default checkpoint of a folder of runs: the one that answers where no run is named.

Chosen by evidence (``gpt-tui compare A B --promote``) and kept in ``default.json`` beside the runs; without that
file the newest run answers.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import checkpoint
from .errors import RunError
from .runs import Run, find_run
from .storage import read_json, write_json

FILE = "default.json"


@dataclass(frozen=True)
class Default:
    """A checkpoint of a run, and why it is the default."""

    run: str
    checkpoint: str
    """The name of its folder: what 'last' is may change."""
    evidence: dict[str, Any] = field(default_factory=dict)


def read_default(runs: Path) -> Default | None:
    """The default of a folder of runs; None where there is none or its run is gone. Raises ``RunError``."""
    default = _read(runs / FILE)
    return default if default is not None and Run(runs / default.run).exists() else None


def _read(path: Path) -> Default | None:
    if not path.is_file():
        return None
    value = read_json(path, limit=1_000_000, error=RunError)
    run, name = (value.get("run"), value.get("checkpoint")) if isinstance(value, dict) else (None, None)
    if not isinstance(run, str) or not isinstance(name, str) or Path(run).name != run or Path(name).name != name:
        raise RunError("{path}: damaged: it names no run and checkpoint; delete it", path=str(path))
    evidence = value.get("evidence")
    return Default(run, name, evidence if isinstance(evidence, dict) else {})


def default_checkpoint(run: Run) -> str | None:
    """The name of the checkpoint of ``run`` that is the default; None where none of it is."""
    with contextlib.suppress(RunError):
        default = _read(run.path.parent / FILE)
        if default is not None and default.run == run.name:
            return default.checkpoint
    return None


def write_default(runs: Path, default: Default) -> None:
    """Raises ``RunError`` where the folder cannot be written to."""
    try:
        write_json(runs / FILE, asdict(default))
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise RunError("{path}: cannot be written: {reason}", path=str(runs / FILE), reason=reason) from None


def clear_default(runs: Path, run: str) -> None:
    """Forget the default if it is a checkpoint of this run."""
    with contextlib.suppress(RunError):
        default = _read(runs / FILE)
        if default is not None and default.run == run:
            (runs / FILE).unlink(missing_ok=True)


def choose_run(runs: Path, name: str | None, which: str | None) -> tuple[Run, str]:
    """The run and the checkpoint of it that ``--run`` and ``--checkpoint`` mean, either of which may be missing.

    Without a run it is the default one, or the newest. Raises ``RunError``.
    """
    if name is not None:
        return find_run(runs, name), which or "last"
    default = read_default(runs)
    if default is None:
        return find_run(runs), which or "last"
    return Run(runs / default.run), which or default.checkpoint


def checkpoint_of(runs: Path, spec: str) -> tuple[Run, Path]:
    """The run and the checkpoint folder for ``RUN`` or ``RUN:CHECKPOINT``. Raises ``RunError`` or
    ``CheckpointError``."""
    name, which = spec, "last"
    if not (runs / spec).is_dir() and not Path(spec).is_dir():  # a path on Windows has a colon too
        head, colon, tail = spec.rpartition(":")
        if colon and head:
            name, which = head, tail or "last"
    run = find_run(runs, name)
    return run, checkpoint.resolve(run.checkpoints, which)
