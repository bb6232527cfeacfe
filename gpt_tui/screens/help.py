"""All keys and what they do, from the same table as the bindings and the palette."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.text import cell_width, pad

from ..actions import APP_ACTIONS, PANES, Action, key_names, pane_actions
from ..fold import fold
from ..i18n import _


class HelpText(VerticalScroll):
    """The table, folded to the width there is."""

    def __init__(self, pane: str) -> None:
        super().__init__(id="help-text")
        self._pane = pane

    def compose(self) -> ComposeResult:
        yield Static(id="help-lines")

    def on_resize(self) -> None:
        width = self.scrollable_content_region.width
        labels = {name: label for name, _class, label in PANES}
        order = [self._pane, *(name for name in labels if name != self._pane)]
        sections = [(_("Tab {name}").format(name=_(labels[name])), pane_actions(name)) for name in order]
        sections.insert(1, (_("Everywhere"), APP_ACTIONS))
        intro = _(
            "The mouse works everywhere: click a tab, a key at the bottom, a plot; drag to select text, Ctrl+C copies "
            "it. Tab moves between the parts of a page, Esc leaves an input field."
        )
        lines = [Content(line) for line in fold(intro, width)]
        for title, actions in sections:
            lines += _section(title, actions, width)
        self.query_one("#help-lines", Static).update(Content("\n").join(lines))


class HelpScreen(ModalScreen[None]):
    """The open tab's actions first."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,f1,question_mark", "close", "Close")]

    def __init__(self, pane: str) -> None:
        super().__init__()
        self._pane = pane

    def compose(self) -> ComposeResult:
        with Vertical(id="help-box", classes="dialog"):
            yield HelpText(self._pane)
            yield Static(Content.styled(_("Esc closes; ↑ ↓ PgUp PgDn scroll"), "dim"))

    def on_mount(self) -> None:
        self.query_one(HelpText).focus()

    def action_close(self) -> None:
        self.dismiss(None)


def _section(title: str, actions: Sequence[Action], width: int) -> list[Content]:
    keys = [key_names(action) or _("palette") for action in actions]
    labels = [_(action.label) for action in actions]
    key_cells, label_cells = _widest(keys), _widest(labels)
    lines = [Content(""), Content.styled(title, "bold underline")]
    for key, label, action in zip(keys, labels, actions, strict=True):
        before = Content.assemble((pad(key, key_cells), "bold"), "  ", pad(label, label_cells), "  ")
        for number, text in enumerate(fold(_(action.help), width - before.cell_length)):
            start = before if not number else Content(" " * before.cell_length)
            lines.append(Content.assemble(start, (text, "dim")))
    return lines


def _widest(texts: Sequence[str]) -> int:
    return max((sum(map(cell_width, text)) for text in texts), default=0)
