"""A snapshot in words and numbers: what stands above the plots."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from core.events import Progress
from core.text import cell_width, printable, shorten

from ..console import REASONS
from ..fold import fold
from ..format import duration, number, percent, size
from ..history import Snapshot
from ..i18n import _
from ..verdicts import part_name
from .status import state_mark, state_word

#: Colour only repeats what the sign and the word say.
STYLES = {"running": "$success", "paused": "$warning", "failed": "$error", "done": "$primary"}
GAP = "   "


def state_line(snapshot: Snapshot, recipe: str, width: int) -> Content:
    """State, run and step; for an ended training how it ended."""
    head = (f"{state_mark(snapshot)} {state_word(snapshot)}", f"bold {STYLES.get(snapshot.state, '')}".strip())
    room = width - _cells(head[0]) - len(GAP)
    text = GAP.join(_state_parts(snapshot, recipe))
    if snapshot.failure is not None:
        return Content.assemble(head, GAP, fold(text, width, room)[0])  # the rest is in the next line
    return Content.assemble(head, GAP, shorten(text, room))


def _rest_of_failure(snapshot: Snapshot, width: int) -> str:
    """What of a cause does not fit behind the state; '' where all does."""
    room = width - _cells(f"{state_mark(snapshot)} {state_word(snapshot)}") - len(GAP)
    return shorten(" ".join(fold(GAP.join(_state_parts(snapshot, "")), width, room)[1:]), width)


def _state_parts(snapshot: Snapshot, recipe: str) -> list[str]:
    if snapshot.state == "idle":
        return [_("s starts the recipe {recipe}; 2 shows its settings").format(recipe=printable(recipe))]
    name = printable(snapshot.run or snapshot.recipe)
    if not snapshot.live:
        name = _("watching {run}").format(run=name)
    if snapshot.failure is not None:
        return [name, snapshot.failure.cause]
    if snapshot.finished is not None and not snapshot.active:
        parts = [name, _(REASONS.get(snapshot.finished.reason, snapshot.finished.reason))]
        if snapshot.verified is not None:
            parts += [
                _("{part}: {rate} exact").format(part=part_name(part), rate=percent(values["exact_rate"]))
                for part, values in snapshot.verified.parts.items()
            ]
        return parts
    parts = [name]
    if snapshot.task is not None:
        parts.append(task_text(snapshot.task))
    if snapshot.started is not None:
        of = f"/{snapshot.total_steps}" if snapshot.total_steps else ""
        parts.append(_("step {n}").format(n=f"{snapshot.step}{of}"))
        if snapshot.max_minutes:
            parts.append(_("of {minutes:g} minutes").format(minutes=snapshot.max_minutes))
    return parts


def task_text(task: Progress) -> str:
    """What is done before the first step or after the last, and how far it has come: rows of a corpus, bytes of a
    download, questions."""
    words = {
        "making_corpus": _("making the corpus"),
        "downloading": _("downloading the data"),
        "reading": _("reading the data"),
        "encoding": _("cutting the rows into tokens"),
        "comparing": _("comparing int8 with fp32"),
        "verifying": _("asking all questions once more"),
        "answering": _("answering the test rows"),
    }
    word = words.get(task.task, task.task)
    if not (task.done or task.total):
        return word
    done, total = (size(n) if task.task == "downloading" else f"{n:,}" for n in (task.done, task.total))
    return f"{word} {done}" + (f" / {total}" if task.total else "")


def progress_line(snapshot: Snapshot, width: int) -> Content:
    """The bar, and the times beside it."""
    if snapshot.state == "idle":
        return Content("")
    if snapshot.failure is not None and (rest := _rest_of_failure(snapshot, width)):
        return Content(rest)
    share, task = snapshot.progress, snapshot.task
    if task is not None:
        share = task.done / task.total if task.total else 0.0
    share = min(1.0, max(0.0, share))
    times = _("{percent:3.0f} %   elapsed {elapsed}   ETA {eta}").format(
        percent=100 * share, elapsed=duration(snapshot.elapsed), eta=duration(snapshot.eta)
    )
    cells = max(8, width - _cells(times) - len(GAP))
    full = int(share * cells)
    return Content.assemble(("█" * full, "$success"), ("░" * (cells - full), "dim"), GAP, times)


def figures(snapshot: Snapshot, memory: int | None, width: int) -> Content:
    """Two lines of numbers; those that do not fit at the end of a line begin the next."""
    if snapshot.failure is not None:
        first, *rest = fold(_("What to do: {advice}").format(advice=snapshot.failure.advice), width)
        return Content("\n".join([first, shorten(" ".join(rest), width)]))
    if snapshot.state == "idle":
        return Content("")
    last, evaluated = snapshot.last, snapshot.last_eval
    best = ""
    if snapshot.best_loss is not None:
        best = _(" (best {best} @ {step})").format(best=number(snapshot.best_loss), step=snapshot.best_step)
    fields = [
        (_("loss"), number(last.loss if last else None), ""),
        (_("eval loss"), number(evaluated.loss if evaluated else None), best),
        (_("lr"), f"{last.lr:.2e}" if last else "–", ""),
        (_("grad norm"), f"{last.grad_norm:.2f}" if last else "–", ""),
        (_("tokens/s"), f"{last.tokens_per_second:,.0f}" if last else "–", ""),
    ]
    if memory is not None:
        fields.append((_("memory"), size(memory), ""))
    if snapshot.saved_age is not None and snapshot.saved is not None:
        fields.append((_("saved"), duration(snapshot.saved_age), _(" ago @ {step}").format(step=snapshot.saved.step)))
    else:
        fields.append((_("saved"), _("not yet"), ""))
    if last:
        fields.append((_("epoch"), f"{last.epoch:.1f}", ""))
    if snapshot.skipped:
        fields.append((_("skipped steps"), str(snapshot.skipped), ""))
    return _flow(fields, width)


def _flow(fields: Sequence[tuple[str, str, str]], width: int) -> Content:
    gap = GAP if width >= 78 else "  "
    rows: list[list[Content]] = [[]]
    used = 0
    for label, value, note in fields:
        field = Content.assemble((label, "dim"), " ", (value, "bold"), note)
        if used and used + len(gap) + field.cell_length > width:
            rows.append([])
            used = 0
        used += field.cell_length + (len(gap) if used else 0)
        rows[-1].append(field)
    return Content("\n").join([Content(gap).join(row) for row in rows])


def _cells(text: str) -> int:
    return sum(map(cell_width, text))
