"""What the settings amount to: parameters, tokens a step, memory, time, and the same training as a command."""

from __future__ import annotations

import math
from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from core.text import cell_width, printable, shorten

from ..estimates import Estimate
from ..fold import fold
from ..format import duration, table
from ..i18n import _


def count_text(estimate: Estimate) -> str:
    return _("{n:,} parameters").format(n=estimate.parameters)


def tokens_text(estimate: Estimate) -> str:
    most = _("at most {n:,}").format(n=estimate.places)
    if estimate.tokens is None:
        return _("{most} tokens a step").format(most=most)
    return _("about {n:,} tokens a step ({most})").format(n=_rounded(estimate.tokens), most=most)


def memory_text(estimate: Estimate) -> str:
    return _("about {size} of memory").format(size=_bytes(estimate.memory.total))


def time_text(estimate: Estimate) -> str:
    """How long it will take, and for how many steps."""
    work = [_("{n:,} steps").format(n=estimate.steps)] if estimate.steps is not None else []
    if estimate.epochs is not None:
        one = f"{estimate.epochs:.3g}" == "1"
        work.append(_("1 epoch") if one else _("{n:.3g} epochs").format(n=estimate.epochs))
    if estimate.seconds is None:
        unknown = _("time not known yet")
        return f"{' = '.join(work)}, {unknown}" if work else unknown
    words = duration(estimate.seconds if estimate.source == "budget" else _rounded(estimate.seconds))
    if estimate.source != "budget":
        words = _("about {time}").format(time=words)
    return _("{time} for {work}").format(time=words, work=" = ".join(work)) if work else words


def source_text(estimate: Estimate) -> str:
    """What the time is judged by."""
    return {
        "run": _("as fast as {run}"),
        "scaled": _("in proportion to {run}"),
        "machine": _("from the speed of this machine"),
        "budget": _("the time budget"),
    }.get(estimate.source, "").format(run=printable(estimate.run))


def memory_parts(estimate: Estimate) -> list[list[str]]:
    parts = estimate.memory
    return [
        [_("weights"), _bytes(parts.weights)],
        [_("gradients"), _bytes(parts.gradients)],
        [_("optimizer's memory"), _bytes(parts.optimizer)],
        [_("activations"), _bytes(parts.activations)],
        [_("the program"), _bytes(parts.process)],
    ]


def _rounded(value: float) -> int:
    """To two digits, three where the first is a 1: more would pretend to be known."""
    if value < 100:
        return round(value)
    unit = int(10 ** (math.floor(math.log10(value)) - 1))
    return round(value / unit * 2) * unit // 2 if value / unit < 20 else round(value / unit) * unit


def _bytes(value: float) -> str:
    """A rounded size: ``720 MB``, ``1.3 GB``."""
    rounded = _rounded(value)
    return f"{rounded / 1e9:.2g} GB" if rounded >= 1e9 else f"{rounded / 1e6:.0f} MB"


class ReadOuts(Static):
    """The figures, as three lines under the form or as a column beside it."""

    def __init__(self) -> None:
        super().__init__(id="config-readouts")
        self._estimate: Estimate | None = None
        self._command = ""
        self._wide = False

    def show(self, estimate: Estimate, command: str) -> None:
        if (estimate, command) != (self._estimate, self._command):
            self._estimate, self._command = estimate, command
            self._paint()

    def shape(self, wide: bool) -> None:
        self._wide = wide
        self._paint()

    def on_resize(self) -> None:
        self._paint()

    def _paint(self) -> None:
        if self._estimate is not None and self.size.width:
            lines = self._column(self._estimate) if self._wide else self._lines(self._estimate)
            self.update(Content.assemble(*lines))

    def _lines(self, estimate: Estimate) -> list[str | tuple[str, str]]:
        """Two lines of figures and two of the command, whatever the width."""
        width = max(20, self.size.width - 2)
        first = " · ".join([count_text(estimate), tokens_text(estimate)])
        second = " · ".join([memory_text(estimate), time_text(estimate)])
        source = f" ({source_text(estimate)})" if estimate.source else ""
        if cells(second + source) > width:
            source = ""
        folded = fold("$ " + self._command, width)
        command = "\n".join([folded[0], *([shorten(" ".join(folded[1:]), width)] if folded[1:] else [])])
        return [(shorten(first, width), "bold"), "\n", (shorten(second, width), "bold"), source, "\n", command]

    def _column(self, estimate: Estimate) -> list[str | tuple[str, str]]:
        parts = [[_(name), f"{count:,}"] for name, count in estimate.parts.items() if count]
        found: list[str | tuple[str, str]] = [(count_text(estimate), "bold"), "\n", _table(parts), "\n\n"]
        found += [(tokens_text(estimate), "bold"), "\n\n", (memory_text(estimate), "bold"), "\n"]
        found += [_table(memory_parts(estimate)), "\n\n", (time_text(estimate), "bold"), "\n"]
        found += [source_text(estimate), "\n\n", (_("the same without the app:"), "bold"), "\n", self._command]
        return found


def cells(text: str) -> int:
    return sum(map(cell_width, text))


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Aligned rows, set in."""
    return "\n".join("  " + line for line in table(rows, right=(1,)))
