"""What the tabs share: the settings being edited, the training, the folder of runs."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.config import Config, load_config
from core.text import printable

from .history import Snapshot
from .pace import Pace
from .session import Session

if TYPE_CHECKING:
    from .settings import AppSettings


class Source(Protocol):
    """Anything the Train tab can show in place of the app's own training: a run watched from its file."""

    def snapshot(self) -> Snapshot: ...

    def close(self) -> None: ...


def runs_folder(given: str | None = None) -> Path:
    """As ``core.runs.runs_folder``, which would import torch before the first paint."""
    return Path(given or os.environ.get("GPT_TUI_RUNS") or "runs")


def word_for(run: Path) -> str:
    """How a command in this folder names a run: by its name, or by its path where it lies elsewhere."""
    here = run.parent.resolve() == runs_folder().resolve()
    return printable(shlex.quote(run.name if here else str(run)))


def default_config(folder: Path | None = None) -> tuple[Config, Path | None]:
    """What ``gpt-tui train`` would train without options: ``config.yaml`` of the folder, or the teacher recipe."""
    file = (folder or Path()) / "config.yaml"
    if file.is_file():
        return load_config(file=file), file
    return load_config("teacher"), None


@dataclass
class Desk:
    """The one object that every pane gets."""

    config: Config
    """The settings as edited; the next training uses them."""
    base: Config
    """The recipe they started from: what differs from it is marked."""
    runs_dir: Path
    session: Session = field(default_factory=Session)
    config_file: Path | None = None
    """The config.yaml that ``config`` was read from and is saved to."""
    loaded: Config | None = None
    """What that file said when it was last read or written; None: ``config`` came from elsewhere."""
    run_name: str | None = None
    """Name of the next run; None: recipe and time."""
    source: Source | None = None
    """What the Train tab shows instead of ``session``; see ``WatchRun``."""
    settings: AppSettings | None = None
    """What the app remembers from one start to the next."""
    pace: Pace = field(default_factory=Pace)
    """Whether somebody is using the screen, or only looks on."""

    def snapshot(self) -> Snapshot:
        """What the Train tab shows now."""
        return self.session.snapshot() if self.source is None else self.source.snapshot()
