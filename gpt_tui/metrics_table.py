"""A run's ``metrics.jsonl`` as a table for spreadsheets and notebooks."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable

from core.events import Eval, Event, Step

#: Column, and the field of ``Step`` it holds.
STEP_COLUMNS = {
    "epoch": "epoch", "tokens": "tokens", "loss": "loss", "lr": "lr", "grad_norm": "grad_norm",
    "tokens_per_second": "tokens_per_second", "elapsed_seconds": "elapsed",
}  # fmt: skip
COLUMNS = ("step", *STEP_COLUMNS, "eval_loss", "best_eval_loss")


def as_csv(events: Iterable[Event]) -> str:
    """One row a step at which something was logged or evaluated, in order, with a header; a cell without a finite
    number is empty. Of a step that was taken twice, the last account counts."""
    rows: dict[int, dict[str, str]] = {}
    for event in events:
        if isinstance(event, Step):
            values = {column: getattr(event, name) for column, name in STEP_COLUMNS.items()}
        elif isinstance(event, Eval):
            values = {"eval_loss": event.loss, "best_eval_loss": event.best}
        else:
            continue
        row = rows.setdefault(event.step, {"step": str(event.step)})
        row.update({column: _cell(value) for column, value in values.items()})
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[step] for step in sorted(rows))
    return text.getvalue()


def _cell(value: object) -> str:
    """All digits of a number, so that reading it back gives the same; nothing for anything else in the file."""
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    return str(value) if type(value) is int and abs(value) < 2**63 else ""
