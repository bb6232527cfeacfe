"""Live answers: the recipe's questions, asked again after each evaluation; of a text model, what it writes."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core.events import Probe, Sample
from core.text import cell_width, printable

from ..fold import fold
from ..i18n import _


class Answers(VerticalScroll, can_focus=True):
    """One line a question: right or wrong, the question, the newest answer; below a wrong one what was expected.

    Below them the text that the model wrote after the newest epoch, or after each.
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._probes: tuple[Probe, ...] = ()
        self._samples: tuple[Sample, ...] = ()
        self._full = False
        self._drawn: tuple[object, ...] | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="answers-text")

    def show(self, probes: tuple[Probe, ...], samples: tuple[Sample, ...] = (), *, full: bool = False) -> None:
        """``full``: with whole questions and the expected answers, and with all texts, the newest first."""
        self._probes, self._samples, self._full = probes, samples, full
        self._draw()

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width = self.scrollable_content_region.width
        now = (self._probes, self._samples, self._full, width)
        if now == self._drawn or not self.is_mounted or not width:
            return
        self._drawn = now
        self.border_title = _title(self._probes, self._samples)
        lines = [line for probe in self._probes for line in _lines(probe, self._full, width)]
        shown = reversed(self._samples) if self._full else self._samples[-1:]
        lines += [line for sample in shown for line in _text_lines(sample, width)]
        if not lines:
            text = _(
                "the questions of data.probes are asked after each evaluation; a text model writes after each epoch"
            )
            lines = [Content.styled(line, "dim") for line in fold(text, width)]
        self.query_one("#answers-text", Static).update(Content("\n").join(lines))


def _title(probes: Sequence[Probe], samples: Sequence[Sample]) -> Content:
    title: list[tuple[str, str]] = [(_("live answers") if probes or not samples else _("live text"), "bold")]
    newest = max([probe.step for probe in probes[-1:]] + [sample.step for sample in samples[-1:]], default=None)
    if newest is not None:
        title.append(("  " + _("at step {step}").format(step=newest), "dim"))
    graded = [probe for probe in probes if probe.expected is not None]
    if graded:
        right = sum(probe.exact for probe in graded)
        title.append(("  " + _("{right} of {total} right").format(right=right, total=len(graded)), "dim"))
    return Content.assemble(*title)


def _text_lines(sample: Sample, width: int) -> list[Content]:
    """What was given to the model dim, what it wrote behind it; its own line breaks are kept."""
    given = fold(printable(sample.prompt), width - 2)
    begin = sum(map(cell_width, given[-1]))
    written: list[str] = []
    for number, line in enumerate(printable(sample.text, keep_newlines=True).split("\n")):
        written += fold(line, width - 2, max(2, width - 2 - begin) if not number else None)
    mark = _("epoch {n}, step {step}:").format(n=sample.epoch, step=sample.step)
    lines = [Content.styled(mark, "bold"), *(Content.styled("  " + line, "dim") for line in given)]
    lines[-1] = Content.assemble(lines[-1], written[0])
    return lines + [Content("  " + line) for line in written[1:]]


def _lines(probe: Probe, full: bool, width: int) -> list[Content]:
    mark, style = ("✓", "bold $success") if probe.exact else ("✗", "bold $error") if probe.expected else ("·", "dim")
    asked = printable(probe.prompt if full else " ".join(probe.prompt.split()))
    question = fold((asked if full else _end_of(asked, width)) + " →", width - 2)
    begin = 3 + sum(map(cell_width, question[-1]))
    answer = fold(printable(probe.answer) or _("(nothing)"), width - 2, width - begin)
    lines = [Content.assemble((f"{mark} " if not n else "  ", style), (text, "dim")) for n, text in enumerate(question)]
    lines[-1] = Content.assemble(lines[-1], " ", answer[0])
    lines += [Content("  " + text) for text in answer[1:]]
    if full and probe.expected is not None and not probe.exact:
        expected = fold(_("expected: {text}").format(text=printable(probe.expected)), width - 2)
        lines += [Content.styled("  " + text, "dim") for text in expected]
    return lines


def _end_of(text: str, cells: int) -> str:
    """A question in at most half a line less than one: where a passage comes first, what is asked stands at the end."""
    if sum(map(cell_width, text)) <= cells - 4:
        return text
    room, begin = max(8, cells // 2), len(text)
    while begin > 0 and room > cell_width(text[begin - 1]):
        begin -= 1
        room -= cell_width(text[begin])
    return "…" + text[begin:]
