"""The last line of the screen: the keys that mean something now.

Textual's ``Footer`` makes a widget for each key, anew at each change of the focus: that was 60 of the 105 ms of
processor time that opening another tab took. Here it is one line of text, drawn only when it reads differently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.events import Click
from textual.screen import Screen
from textual.widget import Widget

from core.text import cell_width

#: Actions that are always in sight, at the end of the line.
LAST = ("quit", "help")


@dataclass(frozen=True)
class Key:
    """One key of the line."""

    key: str
    """As Textual names it."""
    shown: str
    label: str
    action: str
    enabled: bool

    @property
    def cells(self) -> int:
        return sum(map(cell_width, f"{self.shown} {self.label} "))


class KeyBar(Widget):
    """Keys and what they do; what is impossible now is pale, and a click presses the key."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"keybar--key"}  # noqa: RUF012 - Textual declares it so

    def __init__(self, order: Callable[[], Sequence[str]] = tuple) -> None:
        """``order``: keys, so that each keeps its place whichever part of a tab has the focus."""
        super().__init__()
        self._order = order
        self.keys: tuple[Key, ...] = ()
        """Those that the line has room for."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self._look()

    def on_resize(self) -> None:
        self._look()

    def _changed(self, _screen: Screen[object]) -> None:
        if self.app.app_focus:
            self.call_after_refresh(self._look)

    def _look(self) -> None:
        found: dict[str, Key] = {}
        for active in self.screen.active_bindings.values() if self.is_attached else ():
            binding = active.binding
            if binding.show and binding.action not in found:
                shown = self.app.get_key_display(binding)
                found[binding.action] = Key(binding.key, shown, binding.description, binding.action, active.enabled)
        keys = self._that_fit(list(found.values()))
        if keys != self.keys:
            self.keys = keys
            self.refresh()

    def _that_fit(self, keys: list[Key]) -> tuple[Key, ...]:
        """In their order, without those for which there is no room."""
        last = sorted((key for key in keys if key.action in LAST), key=lambda key: LAST.index(key.action))
        room = self.size.width + 1 - sum(key.cells for key in last)  # the last blank may be cut
        kept: list[Key] = []
        order = {key: number for number, key in enumerate(self._order())}
        for key in sorted(keys, key=lambda key: order.get(key.key, len(order))):
            if key.action not in LAST and key.cells <= room:
                room -= key.cells
                kept.append(key)
        return (*kept, *last)

    def render(self) -> Content:
        style = self.get_visual_style("keybar--key", partial=True)
        parts: list[object] = []
        for key in self.keys:
            dim = "" if key.enabled else "dim"
            parts += [(key.shown, style if key.enabled else "bold dim"), (f" {key.label} ", dim)]
        return Content.assemble(*parts)  # type: ignore[arg-type]

    def on_click(self, event: Click) -> None:
        place = event.get_content_offset(self)
        if place is None:
            return
        end = 0
        for key in self.keys:
            end += key.cells
            if place.x < end:
                if key.enabled:
                    self.app.simulate_key(key.key)
                return
