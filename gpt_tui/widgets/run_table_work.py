"""What the Runs tab does in threads: one look at the folder, and deleting a run. Nothing of the screen is touched."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import UserError
from core.text import printable

from ..i18n import _
from .run_table_data import RunRow, RunsReader, ordered, short_problem
from .run_table_plot import Losses


@dataclass
class Found:
    """What one look brought."""

    rows: list[RunRow] = field(default_factory=list)
    losses: dict[Path, Losses] = field(default_factory=dict)
    problem: str = ""
    """Why the folder cannot be read; one safe line."""
    default: tuple[Path, str] | None = None
    """The run and the checkpoint that answer where no run is named, if somebody has chosen them."""


def look(reader: RunsReader, folder: Path, wanted: Sequence[Path], order: str) -> Found:
    """All runs, and the losses of those ``wanted``; of the first one where none is."""
    from core.default import read_default

    found = Found()
    try:
        found.rows = reader.look(folder)
    except OSError as problem:
        found.problem = printable(str(problem))
    with contextlib.suppress(UserError, OSError):  # asking without a run says what is wrong with the file
        default = read_default(folder)
        found.default = None if default is None else (folder / default.run, default.checkpoint)
    there = {row.path for row in found.rows}
    for path in wanted or [row.path for row in ordered(found.rows, order)[:1]]:
        if path in there:
            try:
                found.losses[path] = Losses.of(reader.curve(path))
            except (UserError, OSError):  # without losses the plot says so; its row says what is wrong with it
                continue
    return found


def delete(path: Path) -> tuple[bool, str]:
    """Delete a run unless somebody trains it: whether it is gone, and one safe line about it."""
    from core.runs import Run

    from ..cli import say, system_error

    try:
        Run(path).delete()  # looks once more whether a training holds it
    except UserError as problem:
        return False, short_problem(path, say(problem))
    except OSError as problem:
        return False, short_problem(path, system_error(problem))
    return True, _("deleted: {path}").format(path=printable(path.name))
