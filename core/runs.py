"""The run directory: what a run leaves behind, and finding runs again."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import checkpoint, events
from .config import Config, load_config, to_yaml
from .errors import CheckpointError, ConfigError, Phrase, RunError
from .lock import FolderLock
from .storage import make_private_folder, open_regular, read_json, remove_tree, write_json, write_text
from .text import first_line
from .tokenizer import Tokenizer

if TYPE_CHECKING:
    from .model import GPT

_NAME = re.compile(r"[\w][\w.+-]{0,99}")
MAX_METRIC_LINE = 1_000_000


def runs_folder(given: str | None = None) -> Path:
    """Where runs live: the given folder, ``GPT_TUI_RUNS``, or ./runs."""
    return Path(given or os.environ.get("GPT_TUI_RUNS") or "runs")


@dataclass(frozen=True)
class Run:
    """One run directory. Nothing is read or made before it is asked for."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def lock(self) -> FolderLock:
        return FolderLock(self.path / "lock")

    def exists(self) -> bool:
        return (self.path / "config.yaml").is_file()

    def create(self, config: Config) -> None:
        """Make the folder, private to its owner, and write the settings.

        Raises ``RunError`` if the run exists. One that failed before its first step, say over a misspelt
        file, is made anew.
        """
        self.check_free()
        try:
            make_private_folder(self.path)
            self.metrics.unlink(missing_ok=True)
            self.save_config(config)
        except OSError as problem:
            raise RunError(
                "{run}: cannot be written: {reason}",
                run=str(self.path),
                reason=problem.strerror or str(problem),
            ) from None

    def check_free(self) -> None:
        """Raises ``RunError`` where something was learnt already."""
        if self.exists() and self.has_begun():
            raise RunError(
                "{run}: this run exists already; go on with --resume {name} or choose another --run name",
                run=str(self.path),
                name=self.name,
            )

    def require_own_files(self) -> None:
        """Raises ``RunError`` where a name in the folder is a link, FIFO or the like: what is written there would be
        written elsewhere, or wait for ever, and a run may come from a stranger. The folder itself may be a link."""
        files = ("config.yaml", "tokenizer.json", "metrics.jsonl", "train.log", "lock", "report.json")
        for path in (self.path / name for name in (*files, "figures", "checkpoints")):
            if path.is_symlink():
                raise RunError("{path}: is a link; a run is only written to where all of it lies in its folder",
                               path=str(path))  # fmt: skip
            if path.name in files and path.exists():
                open_regular(path, RunError).close()

    def has_begun(self) -> bool:
        """Whether anything was learnt in it, or is about to be."""
        return self.state() != "empty" or self.has_learnt()

    def has_learnt(self) -> bool:
        """Whether there are steps in it, saved or on record."""
        saved = checkpoint.step_checkpoints(self.checkpoints)
        return bool(saved) or any(isinstance(event, events.Step) for event in self.read_metrics())

    def save_config(self, config: Config) -> None:
        write_text(self.path / "config.yaml", to_yaml(config.to_dict()))

    def config(self) -> Config:
        """The settings of the run. Raises ``ConfigError`` or ``RunError``."""
        if not self.exists():
            raise RunError("{run}: no such run (no config.yaml in it)", run=str(self.path))
        return load_config(file=self.path / "config.yaml", stored=True)

    @property
    def tokenizer_file(self) -> Path:
        return self.path / "tokenizer.json"

    def save_tokenizer(self, tokenizer: Tokenizer) -> None:
        write_text(self.tokenizer_file, tokenizer.to_json())

    def report(self) -> dict[str, Any] | None:
        """``report.json`` of a finished run, else None."""
        path = self.path / "report.json"
        if not path.is_file():
            return None
        value = read_json(path, error=RunError)
        return value if isinstance(value, dict) else None

    def imported(self) -> dict[str, Any] | None:
        """Where the model of a run came from that was not trained here, else None."""
        about = (self.report() or {}).get("imported")
        return about if isinstance(about, dict) else None

    def write_report(self, report: dict[str, Any]) -> None:
        write_json(self.path / "report.json", report)

    def read_metrics(self) -> Iterator[events.Event]:
        """All events of the run so far. A last line still being written, or a damaged one, is passed over."""
        if not self.metrics.is_file():
            return
        for _, line in metric_lines(self.metrics):
            value = parsed_line(line)
            event = events.from_json(value) if value is not None else None
            if event is not None:
                yield event

    def state(self) -> str:
        """'running', 'finished', 'stopped' (it can be resumed) or 'empty'."""
        if self.lock.is_held():
            return "running"
        if (self.path / "report.json").is_file():
            return "finished"
        return "stopped" if checkpoint.step_checkpoints(self.checkpoints) else "empty"

    def load(self, which: str = "last") -> LoadedModel:
        """Model, tokenizer and settings of a checkpoint ('last', 'best', 'int8', a name or a path)."""
        return load_model(checkpoint.resolve(self.checkpoints, which))

    def remove(self) -> None:
        """Take away the folder of a run that came to nothing, as far as the system lets it."""
        with contextlib.suppress(OSError):
            remove_tree(self.path)

    def delete(self) -> None:
        """Remove the folder, and the default checkpoint if it is one of it. Raises ``RunError`` while a process is
        writing to it, and for what is no run: a folder of someone's work may also have a ``config.yaml`` in it."""
        from .default import clear_default

        if not (self.metrics.exists() or self.lock.path.exists() or self.checkpoints.is_dir()):
            raise RunError("{run}: not deleted: nothing in it comes from a training", run=str(self.path))
        if self.lock.is_held():
            raise RunError("{run}: a training is writing to it; stop it first", run=str(self.path))
        try:
            remove_tree(self.path)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise RunError("{run}: cannot be deleted: {reason}", run=str(self.path), reason=reason) from None
        clear_default(self.path.parent, self.name)


def metric_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a ``metrics.jsonl`` with their numbers; of one too long to be an event only its beginning."""
    with open_regular(path, RunError) as file:
        number, inside = 0, False
        while line := file.readline(MAX_METRIC_LINE):
            if not inside:
                number += 1
                yield number, line
            inside = not line.endswith(b"\n")


def parsed_line(line: bytes) -> dict[str, Any] | None:
    """The mapping in a line, None where there is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint ready to answer."""

    model: GPT
    tokenizer: Tokenizer
    config: Config
    step: int
    path: Path
    bytes: int
    """Size of the weights on disk."""


def load_model(folder: Path) -> LoadedModel:
    """Load a verified checkpoint folder for use. Raises ``CheckpointError``."""
    from .quantize import is_quantized, load_quantized
    from .skeleton import skeleton, unfilled_model

    state, weights, _ = checkpoint.load(folder)
    try:
        config = Config.from_dict(state["config"])
        tokenizer = Tokenizer.load(folder / "tokenizer.json")
        if is_quantized(weights):
            model = skeleton(config.model, tokenizer.vocab_size)
            load_quantized(model, weights)
        else:
            model = unfilled_model(config.model, tokenizer.vocab_size)
            model.load_state_dict(weights)
        step = int(state.get("step", 0))
    except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as problem:
        reason = first_line(problem)
        raise CheckpointError("{path}: does not fit: {reason}", path=str(folder), reason=reason) from None
    size = (folder / "model.safetensors").stat().st_size
    return LoadedModel(model.eval(), tokenizer, config, step, folder, size)


def list_runs(folder: Path) -> list[Run]:
    """All runs of a folder, the newest first (by when they last changed); what begins with '.' is being made."""
    if not folder.is_dir():
        return []
    paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
    runs = [Run(path) for path in paths if (path / "config.yaml").is_file()]
    return sorted(runs, key=lambda run: (_changed(run), run.name), reverse=True)


def _changed(run: Run) -> float:
    for path in (run.metrics, run.path / "config.yaml"):
        try:
            return path.stat().st_mtime
        except OSError:
            continue
    return 0.0


def find_run(folder: Path, name: str | None = None) -> Run:
    """A run by name or path, or the newest one with a checkpoint. Raises ``RunError`` saying what there is."""
    if name:
        for candidate in (folder / name, Path(name)):
            if (candidate / "config.yaml").is_file():
                return Run(candidate)
        there = [run.name for run in list_runs(folder)]
        names = ", ".join(there[:8] + ["…"] * (len(there) > 8))
        raise RunError(
            "no run '{name}' in {folder}; there are: {names}",
            name=name,
            folder=str(folder),
            names=names or Phrase("none"),
        )
    for run in list_runs(folder):
        if checkpoint.step_checkpoints(run.checkpoints):
            return run
    raise RunError("no trained run in {folder}; train one first: gpt-tui --no-ui train", folder=str(folder))


def new_run(folder: Path, name: str | None, recipe: str) -> Run:
    """A run that does not exist yet. Raises ``RunError`` for a name that cannot be a folder."""
    if name is not None:
        if not _NAME.fullmatch(name):
            raise RunError(
                "--run {name}: a run's name is letters, digits, '.', '_', '+' and '-', at most 100",
                name=repr(name),
            )
        return Run(folder / name)
    base = f"{recipe}-{time.strftime('%Y%m%d-%H%M%S')}"
    run, number = Run(folder / base), 1
    while run.path.exists():
        number += 1
        run = Run(folder / f"{base}-{number}")
    return run


def load_run(name: str | None = None, checkpoint: str | None = None, runs_dir: str | None = None) -> LoadedModel:
    """A trained model by the name of its run, ready for ``generate``; without a name the default one, or the newest."""
    from .default import choose_run

    run, which = choose_run(runs_folder(runs_dir), name, checkpoint)
    return run.load(which)
