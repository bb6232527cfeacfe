"""Live answers: the recipe's questions, asked again after each evaluation."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core.events import Probe
from core.text import cell_width, printable

from ..fold import fold
from ..i18n import _


class Answers(VerticalScroll, can_focus=True):
    """One line a question: right or wrong, the question, the newest answer; below a wrong one what was expected."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._probes: tuple[Probe, ...] = ()
        self._full = False
        self._drawn: tuple[object, ...] | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="answers-text")

    def show(self, probes: tuple[Probe, ...], *, full: bool = False) -> None:
        """``full``: with the expected answers."""
        self._probes, self._full = probes, full
        self._draw()

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width = self.scrollable_content_region.width
        now = (self._probes, self._full, width)
        if now == self._drawn or not self.is_mounted or not width:
            return
        self._drawn = now
        probes = self._probes
        graded = [probe for probe in probes if probe.expected is not None]
        title: list[tuple[str, str]] = [(_("live answers"), "bold")]
        if probes:
            title.append(("  " + _("at step {step}").format(step=probes[-1].step), "dim"))
        if graded:
            right = sum(probe.exact for probe in graded)
            title.append(("  " + _("{right} of {total} right").format(right=right, total=len(graded)), "dim"))
        self.border_title = Content.assemble(*title)
        lines = [line for probe in probes for line in _lines(probe, self._full, width)]
        if not lines:
            lines = [Content.styled(_("the questions of data.probes are asked after each evaluation"), "dim")]
        self.query_one("#answers-text", Static).update(Content("\n").join(lines))


def _lines(probe: Probe, full: bool, width: int) -> list[Content]:
    mark, style = ("✓", "bold $success") if probe.exact else ("✗", "bold $error") if probe.expected else ("·", "dim")
    question = fold(printable(probe.prompt) + " →", width - 2)
    begin = 3 + sum(map(cell_width, question[-1]))
    answer = fold(printable(probe.answer) or _("(nothing)"), width - 2, width - begin)
    lines = [Content.assemble((f"{mark} " if not n else "  ", style), (text, "dim")) for n, text in enumerate(question)]
    lines[-1] = Content.assemble(lines[-1], " ", answer[0])
    lines += [Content("  " + text) for text in answer[1:]]
    if full and probe.expected is not None and not probe.exact:
        expected = fold(_("expected: {text}").format(text=printable(probe.expected)), width - 2)
        lines += [Content.styled("  " + text, "dim") for text in expected]
    return lines
