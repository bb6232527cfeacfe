"""The screen with the tabs: a bar at the top, one pane below it, the keys at the bottom."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.content import Content
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Static

from ..actions import PANES, pane_actions
from ..i18n import _
from ..panes.base import Pane
from ..screen import MIN_HEIGHT, MIN_WIDTH
from ..widgets.keybar import KeyBar
from ..widgets.topbar import TopBar

if TYPE_CHECKING:
    from ..desk import Desk


class MainScreen(Screen[None]):
    """Holds the five panes and shows one of them."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(id="main")
        self.desk = desk
        self.top_bar = TopBar()
        self.panes: dict[str, Pane] = {}
        self.current = PANES[0][0]
        """Name of the open tab."""
        self.complete = False
        """All tabs are there; at first only one is, see ``fill``."""

    @property
    def pane(self) -> Pane:
        """The open tab."""
        return self.panes.get(self.current) or self.panes[PANES[0][0]]

    def compose(self) -> ComposeResult:
        yield self.top_bar
        with ContentSwitcher(initial=f"pane-{self.current}"):
            yield self._make(self.current)
        yield KeyBar(lambda: [key for action in pane_actions(self.current) for key in action.key.split(",")])
        yield Static(id="too-small")

    def _make(self, name: str) -> Pane:
        class_name = next(row[1] for row in PANES if row[0] == name)
        pane: Pane = getattr(import_module(f"gpt_tui.panes.{name}"), class_name)(self.desk)
        self.panes[name] = pane
        return pane

    async def fill(self) -> None:
        """Add the tabs behind the first: their modules and parts cost as much time as the first paint itself."""
        switcher = self.query_one(ContentSwitcher)
        for name, _class, _label in PANES:
            if name not in self.panes:
                await switcher.add_content(self._make(name))
        self.complete = True
        self.open_tab(self.current)

    def open_tab(self, name: str) -> None:
        """Show a pane and give it the focus; one that is not there yet as soon as it is."""
        self.current = name
        if name not in self.panes:
            return
        self.query_one(ContentSwitcher).current = f"pane-{name}"
        self.top_bar.mark(name)
        self.panes[name].shown()

    async def retranslate(self) -> None:
        """Everything once more, in the language chosen now; the same panes with all they hold."""
        await self.top_bar.recompose()
        for pane in self.panes.values():
            await pane.retranslate()
        self.on_resize()
        self.open_tab(self.current)  # the part that had the focus is gone
        self.refresh_bindings()

    def on_resize(self) -> None:
        width, height = self.size
        small = width < MIN_WIDTH or height < MIN_HEIGHT
        self.set_class(small, "-too-small")
        if small:
            text = _("The window is {width}×{height}; at least {w}×{h} is needed. What runs goes on.").format(
                width=width, height=height, w=MIN_WIDTH, h=MIN_HEIGHT
            )
            self.query_one("#too-small", Static).update(Content(text))

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """As Textual gathers them, with descriptions in the chosen language: the footer reads them here."""
        return {
            key: active._replace(
                binding=dataclasses.replace(active.binding, description=_(active.binding.description)),
                tooltip=_(active.tooltip),
            )
            for key, active in super().active_bindings.items()
        }
