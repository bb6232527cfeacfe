"""What a person can do in the app, in one table: keys, command palette and help are all made from it.

A pane lists its own in a module-level ``ACTIONS``; ``action_<id>`` on the pane does it, and ``check_action`` says
whether it is possible now. Labels and helps are English keys, translated when they are shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module

from textual.binding import Binding, BindingType


@dataclass(frozen=True)
class Action:
    """One thing to do."""

    id: str
    """``action_<id>`` is the method."""
    key: str
    """Keys as Textual names them, with commas between; '' for something only in the palette."""
    label: str
    """One or two words, for the footer and the palette."""
    help: str
    """A sentence."""
    footer: bool = True
    """Shown at the bottom of the screen."""


#: Tab by tab: the module of ``gpt_tui.panes``, its class, and the label.
PANES: tuple[tuple[str, str, str], ...] = (
    ("train", "TrainPane", "Train"),
    ("config", "ConfigPane", "Config"),
    ("chat", "ChatPane", "Chat"),
    ("data", "DataPane", "Data"),
    ("runs", "RunsPane", "Runs"),
)

#: What the app itself does, whichever tab is open.
APP_ACTIONS: tuple[Action, ...] = (
    Action("help", "f1,question_mark", "Help", "Show all keys and what they do."),
    Action("quit", "ctrl+q,q", "Quit", "Leave; while a model is trained, you are asked what becomes of it."),
    Action("tab('train')", "1,alt+1", "Train", "Open the tab where a model is trained and watched.", footer=False),
    Action("tab('config')", "2,alt+2", "Config", "Open the tab with every setting.", footer=False),
    Action("tab('chat')", "3,alt+3", "Chat", "Open the tab where the model is asked.", footer=False),
    Action("tab('data')", "4,alt+4", "Data", "Open the tab that shows the data as the model sees it.", footer=False),
    Action("tab('runs')", "5,alt+5", "Runs", "Open the tab with every run so far.", footer=False),
    Action("next_tab(1)", "ctrl+pagedown", "Next tab", "Go to the tab on the right.", footer=False),
    Action("next_tab(-1)", "ctrl+pageup", "Previous tab", "Go to the tab on the left.", footer=False),
    Action("command_palette", "ctrl+p", "All actions", "Find any action by a part of its name.", footer=False),
    Action("language", "f2", "中文/English", "Switch between Chinese and English.", footer=False),
    Action("next_theme", "f3", "Next theme", "Try the next set of colours.", footer=False),
    Action("choose_theme", "", "Choose a theme", "Choose among all sets of colours.", footer=False),
    Action(
        "toggle_hangup", "", "When the connection drops",
        "Switch between: the training goes on without the screen; it is saved and stopped.", footer=False,
    ),
    Action("screenshot", "f12", "Screenshot", "Save the screen as a picture (SVG) in this folder.", footer=False),
    Action(
        "suspend", "ctrl+z", "Suspend",
        "Pause the training and go back to the shell; fg brings the app back.", footer=False,
    ),
)  # fmt: skip


def key_bindings(actions: Iterable[Action]) -> list[BindingType]:
    """``BINDINGS`` for the class that has the methods. Descriptions stay English: the screen translates them."""
    return [
        Binding(action.key, action.id, action.label, show=action.footer, tooltip=action.help)
        for action in actions
        if action.key
    ]


#: The tab that a key opens.
TAB_KEYS = {
    key: name for name, *_ in PANES for a in APP_ACTIONS if a.id == f"tab('{name}')" for key in a.key.split(",")
}


def pane_actions(name: str) -> tuple[Action, ...]:
    """``ACTIONS`` of a pane's module."""
    found: tuple[Action, ...] = import_module(f"{__package__}.panes.{name}").ACTIONS
    return found


#: Keys whose Textual name is not what stands on the keyboard.
_KEY_NAMES = {
    "question_mark": "?", "plus": "+", "minus": "-", "equals_sign": "=", "pageup": "PgUp", "pagedown": "PgDn",
    "left": "←", "right": "→", "up": "↑", "down": "↓", "escape": "Esc", "enter": "Enter", "tab": "Tab",
    "space": "Space", "slash": "/", "full_stop": ".", "comma": ",", "delete": "Del", "backspace": "Backspace",
    "home": "Home", "end": "End", "left_square_bracket": "[", "right_square_bracket": "]",
    "less_than_sign": "<", "greater_than_sign": ">", "asterisk": "*", "number_sign": "#", "colon": ":",
}  # fmt: skip


def key_name(key: str) -> str:
    """``ctrl+q`` as a person reads it: ``Ctrl+Q``."""
    *modifiers, last = key.split("+") if key != "+" else [key]
    shown = _KEY_NAMES.get(last, last.upper() if modifiers or len(last) > 1 else last)
    return "+".join([*(modifier.capitalize() for modifier in modifiers), shown])


def key_names(action: Action) -> str:
    """All keys of an action, for the help."""
    return " ".join(key_name(key.strip()) for key in action.key.split(",")) if action.key else ""
