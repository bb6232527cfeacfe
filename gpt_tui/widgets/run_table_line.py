"""The line below the table of runs."""

from __future__ import annotations

from pathlib import Path

from core.text import printable

from ..i18n import _
from .run_table_data import RunRow
from .run_table_work import Found

DEFAULT_MARK = "★"
"""Of the run that answers where none is named; see ``core.default``."""


def line_about(found: Found, row: RunRow | None, order: str, folder: Path) -> str:
    """About the chosen run, or what is wrong with it or the folder; safe, of any width."""
    if found.problem:
        return f"✗ {found.problem}"
    if not found.rows:
        return _("no runs yet; train one in the first tab (they are kept in {folder})").format(
            folder=printable(str(folder))
        )
    if row is None:
        return ""
    if row.problem:
        return f"✗ {row.problem}"
    n = len(found.rows)
    text = _("one run") if n == 1 else _("{n} runs, ordered by {order}").format(n=n, order=_(order))
    if found.default is not None and found.default[0] == row.path:
        text = _("{mark} its checkpoint {name} answers where no run is named").format(
            mark=DEFAULT_MARK, name=printable(found.default[1])
        )
    return f"{text} · {printable(str(row.path))}"
