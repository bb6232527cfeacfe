"""The command palette: every action of the table, found by its name in either language."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from .actions import APP_ACTIONS, PANES, Action, key_names, pane_actions
from .i18n import _

if TYPE_CHECKING:
    from .app import GptApp


class ActionCommands(Provider):
    """Actions of the open tab first, then the app's, then those of the other tabs."""

    def _rows(self) -> Iterator[tuple[str, str, str, Callable[[], Awaitable[None]]]]:
        """What is shown, what is searched, the help, and what it does."""
        app: GptApp = self.app  # type: ignore[assignment]
        here = app.main.current
        labels = {name: label for name, _class, label in PANES}
        order: list[tuple[str, tuple[Action, ...]]] = [(here, pane_actions(here)), ("", APP_ACTIONS)]
        order += [(name, pane_actions(name)) for name in labels if name != here]
        for pane, actions in order:
            for action in actions:
                if action.id == "command_palette":
                    continue
                shown = _(action.label) if not pane else f"{_(labels[pane])}: {_(action.label)}"
                if action.key:
                    shown += f"  ({key_names(action)})"
                searched = shown if shown.isascii() else f"{shown} {action.label}"
                yield shown, searched, _(action.help), partial(app.perform, action, pane)

    async def discover(self) -> Hits:
        for shown, _searched, help_text, command in self._rows():
            yield DiscoveryHit(Content(shown), command, text=shown, help=help_text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for shown, searched, help_text, command in self._rows():
            score = matcher.match(searched)
            if score > 0:
                yield Hit(score, Content(shown), command, text=shown, help=help_text)
