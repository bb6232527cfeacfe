"""What a run without a screen would print, folded at the width there is: nothing has to be scrolled sideways."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence

from textual.widgets import Log

from ..fold import fold

MOST_LINES = 1000
INDENT = "  "
"""Before what goes on from the line above."""


class FoldedLog(Log):
    """The last lines of one run."""

    def __init__(self, *, id: str | None = None) -> None:
        # Without max_lines: a Log that drops lines by itself does not repaint where it does not scroll.
        super().__init__(id=id, auto_scroll=True)
        self._of: Hashable = None
        self._told: deque[str] = deque(maxlen=MOST_LINES)
        self._count = 0
        self._written = 0
        """Lines, before they are folded, since the log was last empty."""
        self._folded_at = 0
        """The width for which the lines were folded."""

    def show(self, of: Hashable, lines: Sequence[str], count: int) -> None:
        """``lines`` are the newest of the ``count`` that there have been of the run ``of``: add what is new."""
        if of != self._of or count < self._count:
            self.clear()
            self._told.clear()
            self._of, self._count, self._written = of, 0, 0
        new = min(len(lines), count - self._count)
        if new:
            self._told.extend(lines[-new:])
            self._write(lines[-new:])
            if self._written > 2 * MOST_LINES:
                self._write_anew()
            if new == count:
                self._to_the_end()  # of another run: wherever the last one was being read
            self._count = count

    def on_resize(self) -> None:
        """Another width: fold anew what has been told. What was the end may be another place now, and only from the
        end does a log follow what is written."""
        width = self.scrollable_content_region.width
        if width and width != self._folded_at:
            self._write_anew()
        if width:
            self._to_the_end()

    def _write_anew(self) -> None:
        """Only the newest lines; at the end, if the end was to be seen."""
        at_end = self.is_vertical_scroll_end
        self.clear()
        self._written = 0
        self._write(tuple(self._told))
        if at_end:
            self._to_the_end()

    def _to_the_end(self) -> None:
        self.scroll_end(animate=False, immediate=True, x_axis=False)

    def _write(self, lines: Sequence[str]) -> None:
        self._folded_at = width = self.scrollable_content_region.width
        if not width:  # on a tab that is not open: written when it is, or the last line would be out of sight then
            return
        self._written += len(lines)
        for line in lines:
            parts = fold(line, width - len(INDENT), first=width) if width > len(INDENT) else [line]
            self.write_lines([parts[0], *(INDENT + part for part in parts[1:])])
