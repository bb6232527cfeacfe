"""What a person can do in the Chat tab, and when."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ..actions import Action
from ..chat.conversation import Exchange
from ..chat.room import Room

ACTIONS: tuple[Action, ...] = (
    Action("send", "enter", "Ask", "Put the question to the model.", footer=False),
    Action("back", "escape", "Stop/Back",
           "Stop the answer; otherwise leave the token view, an edit, the comparison or the prompt."),
    Action("again", "ctrl+r", "Again", "Ask the last question once more, or the one that is marked."),
    Action("edit", "up", "Edit", "Take an earlier question back for editing; Enter asks it in its place.",
           footer=False),
    Action("copy", "ctrl+y", "Copy", "Copy the answer, the last one or the one that is marked."),
    Action("tokens", "ctrl+t", "Tokens", "Show the answer token by token, with probabilities and alternatives."),
    Action("compare", "ctrl+b", "Compare", "Put each question to two models, side by side."),
    Action("options", "ctrl+o", "Options", "Show or hide temperature, stop strings and the other options."),
    Action("model", "ctrl+g", "Model", "Choose the run and the checkpoint that are asked.", footer=False),
    Action("multi_turn", "ctrl+l", "With history", "Take the conversation along with each question, or not.",
           footer=False),
    Action("sentence_stops", "ctrl+s", "Stop at 。；", "End answers after one sentence, as in class, or not.",
           footer=False),
    Action("new", "ctrl+n", "New conversation", "Begin anew: nothing said so far is taken along.", footer=False),
    Action("forget", "", "Delete the chat history", "Delete what was asked and answered with this run."),
)  # fmt: skip


def possible(action: str, room: Room, target: Exchange | None) -> bool:
    """Whether an action has something to act on; ``target``: the answer it would be done to."""
    if action in ("again", "edit"):
        return target is not None and not room.busy
    if action in ("copy", "tokens"):
        return target is not None and bool(target.answer)
    if action == "compare":
        return room.choice is not None
    if action in ("multi_turn", "sentence_stops"):
        return room.options_known
    if action in ("new", "forget"):
        return bool(room.conversation.exchanges)
    return True


class Twice:
    """What cannot be undone is done when it is asked for a second time soon after the first."""

    SECONDS = 10.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked = -math.inf

    def sure(self) -> bool:
        """It is asked for: whether that was the second time."""
        now = self._clock()
        again = now - self._asked < self.SECONDS
        self._asked = -math.inf if again else now
        return again
