"""The doctor's report as a page: what wants attention stands out by a sign, not by colour alone."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from ..fold import fold
from ..i18n import _
from .report_data import DataView, Line


def summary_text(view: DataView) -> str:
    """The first line: is there something to look at?"""
    if view.problem:
        return f"✗ {view.problem}"
    if view.warnings == 1:
        return "! " + _("1 thing wants a look")
    if view.warnings:
        return "! " + _("{n} things want a look").format(n=view.warnings)
    return "✓ " + _("nothing wants a look")  # 22 cells: 80 columns leave 23 beside the views and the file


def report_content(view: DataView, width: int) -> Content:
    """The whole page; long lines are folded behind their sign."""
    style = "bold $text-error" if view.problem else "bold"
    parts: list[str | tuple[str, str]] = [("\n".join(fold(summary_text(view), max(10, width))), style), "\n"]
    for line in view.lines:
        parts += _line_parts(line, width)
    return Content.assemble(*parts)


def _line_parts(line: Line, width: int) -> Sequence[str | tuple[str, str]]:
    if line.kind == "title":
        return ["\n", (line.text, "bold underline"), "\n"]
    if not line.text:
        return []
    sign, style = ("!", "bold $text-warning") if line.kind == "!" else (" ", "")
    return [(f"{sign} " + "\n  ".join(fold(line.text, max(10, width - 2))), style), "\n"]


class ReportText(Static):
    """The page, laid out for the width there is."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._view: DataView | None = None

    def show(self, view: DataView) -> None:
        self._view = view
        self._draw()

    def wait(self, text: str) -> None:
        """Say that the page is not there yet."""
        self._view = None
        self.update(Content(text))

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._view is not None and self.content_size.width:
            self.update(report_content(self._view, self.content_size.width))
