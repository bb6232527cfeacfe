"""What every tab is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical

if TYPE_CHECKING:
    from ..desk import Desk
    from ..history import Snapshot


class Pane(Vertical, can_focus=True):
    """One tab. It holds the focus itself when none of its parts does, so that its keys always work."""

    #: A pane with another use for this key binds it again.
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave_field", "Leave the field", show=False)]

    def __init__(self, desk: Desk) -> None:
        super().__init__(id=self.pane_id())
        self.desk = desk

    @classmethod
    def pane_id(cls) -> str:
        """``pane-train`` for the pane of the module ``train``."""
        return f"pane-{cls.__module__.rpartition('.')[2]}"

    def tick(self, snapshot: Snapshot) -> None:
        """Called twice a second while the pane is on the screen. Repaint only what has changed."""

    def shown(self) -> None:
        """Called when the tab is opened: read again what may have changed, put the focus where it is wanted."""
        self.focus()

    def action_leave_field(self) -> None:
        """Out of the field one types in, so that letters and numbers are keys again."""
        self.focus()

    async def retranslate(self) -> None:
        """Called when the language has changed: the same pane, its parts composed anew.

        What must survive belongs to the pane or the desk, not to the parts. ``on_mount`` is not called again:
        override this to set the new parts up.
        """
        await self.recompose()
