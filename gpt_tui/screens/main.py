"""The screen with the tabs: a bar at the top, one pane below it, the keys at the bottom."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.content import Content
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Footer, Static

from ..actions import PANES
from ..i18n import _
from ..panes.base import Pane
from ..screen import MIN_HEIGHT, MIN_WIDTH
from ..widgets.topbar import TopBar

if TYPE_CHECKING:
    from ..desk import Desk


class MainScreen(Screen[None]):
    """Holds the five panes and shows one of them."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(id="main")
        self.desk = desk
        self.panes: dict[str, Pane] = {}
        self.current = PANES[0][0]
        """Name of the open tab."""
        for name, class_name, _label in PANES:
            try:
                module = import_module(f"gpt_tui.panes.{name}")
                pane: Pane = getattr(module, class_name)(desk)
            except (ModuleNotFoundError, AttributeError) as problem:  # DEVELOPMENT ONLY, goes away
                print(problem)
                pane = type("Missing", (Pane,), {"__module__": f"gpt_tui.panes.{name}"})(desk)
            self.panes[name] = pane

    @property
    def pane(self) -> Pane:
        """The open tab."""
        return self.panes[self.current]

    def compose(self) -> ComposeResult:
        yield TopBar()
        with ContentSwitcher(initial=f"pane-{PANES[0][0]}"):
            yield from self.panes.values()
        yield Footer(show_command_palette=False, compact=True)
        yield Static(id="too-small")

    def open_tab(self, name: str) -> None:
        """Show a pane and give it the focus."""
        self.current = name
        self.query_one(ContentSwitcher).current = f"pane-{name}"
        self.query_one(TopBar).mark(name)
        self.panes[name].shown()

    async def retranslate(self) -> None:
        """Everything once more, in the language chosen now; the same panes with all they hold."""
        await self.query_one(TopBar).recompose()
        for pane in self.panes.values():
            await pane.retranslate()
        self.on_resize()
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
