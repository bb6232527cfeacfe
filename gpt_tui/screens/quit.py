"""Leaving while a model is being trained."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from core.text import printable

from ..i18n import _


class QuitScreen(ModalScreen[str]):
    """Says what each choice does. Dismissed with 'save', 'discard', 'headless' or ''."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "choose('')", "Cancel"),
        Binding("s", "choose('save')", show=False),
        Binding("d", "choose('discard')", show=False),
        Binding("h", "choose('headless')", show=False),
    ]

    def __init__(self, run: str, step: int, saved_step: int | None) -> None:
        super().__init__()
        self._run, self._step, self._saved = run, step, saved_step

    def compose(self) -> ComposeResult:
        kept = (
            _("the checkpoint of step {step} is kept").format(step=self._saved)
            if self._saved is not None
            else _("nothing of this run is kept to go on from")
        )
        rows = [
            ("save", _("s  Save and quit"), _("finish the step, write a checkpoint; go on later with --resume")),
            ("discard", _("d  Quit without saving"), kept),
            ("headless", _("h  Go on without the screen"), _("lines in this terminal, as with --no-ui")),
            ("", _("Esc  Cancel"), _("back to the app, the training goes on")),
        ]
        with Vertical(id="quit-box", classes="dialog"):
            title = _("{run} is being trained (step {step})").format(run=printable(self._run), step=self._step)
            yield Static(Content.styled(title, "bold"))
            yield OptionList(
                *(
                    Option(Content.assemble((label, "bold"), "\n   ", (what, "dim")), id=choice or "cancel")
                    for choice, label, what in rows
                )
            )

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        choice = event.option.id or ""
        self.dismiss("" if choice == "cancel" else choice)

    def action_choose(self, choice: str) -> None:
        self.dismiss(choice)
