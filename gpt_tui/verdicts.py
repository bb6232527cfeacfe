"""How well questions were answered, as a table: one line a part, and one for each kind of question in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from core.text import printable

from .format import number, percent, table
from .i18n import _


def part_name(part: str) -> str:
    """What a part of a verification is called: 'valid', 'valid_unseen', 'train'."""
    names = {"train": _("train"), "valid": _("valid"), "valid_unseen": _("valid, unseen values")}
    return names.get(part, part)


def test_line(rows: Any, path: str, exact: Any, loss: Any) -> str:
    """What became of the test rows, and where to read it."""
    return _("test: {rows} answers in {path}, {exact} of them word for word as expected | loss {loss}").format(
        rows=rows, path=printable(path), exact=exact, loss=number(loss)
    )


def question_cut(tokens: int) -> str:
    """What is said of a question that does not fit the model's context."""
    return _("the question is too long: its first {n} tokens were not read").format(n=tokens)


def verdict_table(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Lines for summaries (``core.evaluate.summary``) under their labels, their kinds below them."""
    cells: list[list[str]] = []
    for label, value in rows:
        cells.append(_row(printable(label), value))
        cells += [_row(f"  {printable(kind)}", part) for kind, part in value.get("by_kind", {}).items()]
    counts = [_("EXACT"), _("CONTAINS"), _("MISS"), _("rows")]
    header = ["", *counts, _("exact"), _("95 % interval"), _("commonest answer")]
    return table(cells, header, right=range(1, 8))


def _row(label: str, value: Mapping[str, Any]) -> list[str]:
    low, high = value["ci95"]
    counts = [str(value[key]) for key in ("exact", "contains", "miss", "total")]
    return [label, *counts, percent(value["exact_rate"]), f"{percent(low)} – {percent(high)}",
            percent(value["majority_rate"])]  # fmt: skip
