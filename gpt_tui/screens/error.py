"""What went wrong and what to do, over whichever tab is open. The app lives on."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from core.text import printable

from ..failure import Failure
from ..i18n import _


class ErrorScreen(ModalScreen[None]):
    """Cause, advice, and where the details stand."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "close", "Close")]

    def __init__(self, failure: Failure, log: Path | None = None) -> None:
        super().__init__()
        self._failure, self._log = failure, log

    def compose(self) -> ComposeResult:
        with Vertical(id="error-box", classes="dialog"):
            yield Static(Content.styled("✗ " + _("the training has failed"), "bold $error"))
            with VerticalScroll(id="error-text"):
                parts = [
                    Content(self._failure.cause),
                    Content(""),
                    Content.styled(_("What to do"), "bold"),
                    Content(self._failure.advice),
                ]
                if self._log is not None:
                    where = _("All lines of the run: {path}").format(path=printable(str(self._log)))
                    parts += [Content(""), Content.styled(where, "dim")]
                yield Static(Content("\n").join(parts))
            yield Button(Content(_("Close")), variant="primary", id="error-close")

    def on_mount(self) -> None:
        self.query_one(Button).focus()

    def on_button_pressed(self) -> None:
        self.dismiss(None)

    def action_close(self) -> None:
        self.dismiss(None)
