"""Stop strings as chips: remove one, edit one, add one, and the usual ones a key away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Input

from core.text import cell_width, shorten

from ..chat.options import SENTENCE_STOPS, stop_from_edit, stop_label, stop_to_edit, toggled
from ..i18n import _

MOST_CHIPS = 32  # the schema's limit
MOST_CELLS = 16
CURSOR = Style(bold=True, reverse=True)

#: Keys that put a usual stop string in or out while the chips have the focus.
QUICK = {"ideographic_full_stop": "。", "full_stop": "。", "fullwidth_semicolon": "；", "semicolon": "；"}


@dataclass(frozen=True)
class Spot:
    """A chip, an offer or the sign for a new one, and where it is."""

    kind: str
    """'chip', 'offer', 'new'"""
    index: int
    text: str
    x: int
    y: int
    width: int


def lay_out(stops: Sequence[str], width: int, offers: Sequence[str] = SENTENCE_STOPS) -> list[Spot]:
    """Chips in lines, then the usual stop strings that are not there, then the sign for a new one."""
    parts = [("chip", i, f" {shorten(stop_label(stop), MOST_CELLS)} ×") for i, stop in enumerate(stops)]
    parts += [("offer", i, f"+{stop_label(stop)}") for i, stop in enumerate(offers) if stop not in stops]
    parts.append(("new", 0, "+…"))
    spots: list[Spot] = []
    x = y = 0
    for kind, index, text in parts:
        cells = sum(map(cell_width, text))
        if x and x + cells > width:
            x, y = 0, y + 1
        spots.append(Spot(kind, index, text, x, y, cells))
        x += cells + 1
    return spots


class ChipRow(Widget, can_focus=True):
    """The chips themselves: arrows move, Delete removes, Enter edits."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"chips--chip", "chips--offer"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up", "move(-1)", show=False),
        Binding("right,down", "move(1)", show=False),
        Binding("delete,backspace", "remove", show=False),
        Binding("enter,space", "press", show=False),
        Binding("plus", "add", show=False),
    ]

    @dataclass
    class Removed(Message):
        index: int

    @dataclass
    class EditAsked(Message):
        index: int
        """-1: a new one."""

    @dataclass
    class Toggled(Message):
        text: str

    def __init__(self, stops: tuple[str, ...]) -> None:
        super().__init__()
        self.stops = stops
        self.cursor = 0
        self._spots: list[Spot] = lay_out(stops, 1000)

    def show(self, stops: tuple[str, ...]) -> None:
        self.stops = stops
        self._spots = lay_out(stops, max(8, self.content_size.width))
        self.cursor = min(self.cursor, len(self._spots) - 1)
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        self._spots = lay_out(self.stops, max(8, width))
        return self._spots[-1].y + 1

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.refresh()

    def render(self) -> Content:
        chip = self.get_visual_style("chips--chip")
        offer = self.get_visual_style("chips--offer")
        parts: list[str | tuple[str, str | Style]] = []
        y = 0
        for number, spot in enumerate(self._spots):
            if parts:
                parts.append(" " if spot.y == y else "\n")
            y = spot.y
            style = chip if spot.kind == "chip" else offer
            parts.append((spot.text, style + CURSOR if self.has_focus and number == self.cursor else style))
        return Content.assemble(*parts)

    def action_move(self, by: int) -> None:
        self.cursor = max(0, min(len(self._spots) - 1, self.cursor + by))
        self.refresh()

    def action_remove(self) -> None:
        spot = self._spots[self.cursor]
        if spot.kind == "chip":
            self.post_message(self.Removed(spot.index))

    def action_press(self) -> None:
        self._press(self._spots[self.cursor], on_cross=False)

    def action_add(self) -> None:
        self.post_message(self.EditAsked(-1))

    def on_key(self, event: events.Key) -> None:
        stop = QUICK.get(event.key)
        if stop is not None:
            event.stop()
            self.post_message(self.Toggled(stop))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        for number, spot in enumerate(self._spots):
            if spot.y == offset.y and spot.x <= offset.x < spot.x + spot.width:
                self.cursor = number
                self._press(spot, on_cross=offset.x == spot.x + spot.width - 1)
                self.refresh()
                return

    def _press(self, spot: Spot, *, on_cross: bool) -> None:
        if spot.kind == "offer":
            self.post_message(self.Toggled(SENTENCE_STOPS[spot.index]))
        elif spot.kind == "new":
            self.post_message(self.EditAsked(-1))
        elif on_cross:
            self.post_message(self.Removed(spot.index))
        else:
            self.post_message(self.EditAsked(spot.index))


class StopChips(Vertical):
    """The chips with the line in which one is typed."""

    @dataclass
    class Changed(Message):
        stops: tuple[str, ...]

    def __init__(self, stops: tuple[str, ...], id: str | None = None) -> None:
        super().__init__(id=id)
        self.stops = stops
        self._editing = -1

    def compose(self) -> ComposeResult:
        yield ChipRow(self.stops)
        line = Input(compact=True, max_length=100)
        line.cursor_blink = False
        line.display = False
        yield line

    def show(self, stops: tuple[str, ...]) -> None:
        """Other stop strings, set from outside."""
        if stops != self.stops:
            self.stops = stops
            self.query_one(ChipRow).show(stops)

    def _change(self, stops: tuple[str, ...]) -> None:
        if stops != self.stops and len(stops) <= MOST_CHIPS:
            self.show(stops)
            self.post_message(self.Changed(stops))

    @on(ChipRow.Removed)
    def _removed(self, message: ChipRow.Removed) -> None:
        message.stop()
        self._change(self.stops[: message.index] + self.stops[message.index + 1 :])

    @on(ChipRow.Toggled)
    def _toggled(self, message: ChipRow.Toggled) -> None:
        message.stop()
        self._change(toggled(self.stops, (message.text,)))

    @on(ChipRow.EditAsked)
    def _edit(self, message: ChipRow.EditAsked) -> None:
        message.stop()
        self._editing = message.index
        line = self.query_one(Input)
        line.placeholder = _("text; \\n: a new line")
        line.value = stop_to_edit(self.stops[message.index]) if message.index >= 0 else ""
        line.display = True
        line.focus()

    @on(Input.Submitted)
    def _typed(self, message: Input.Submitted) -> None:
        message.stop()
        stop = stop_from_edit(message.value)
        others = [other for i, other in enumerate(self.stops) if i != self._editing]
        place = self._editing if self._editing >= 0 else len(others)
        if stop and stop not in others:
            others.insert(place, stop)
        self._close()
        self._change(tuple(others))

    @on(Input.Changed)
    def _typing(self, message: Input.Changed) -> None:
        message.stop()  # half-typed text is nobody's business

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape" and self.query_one(Input).display:
            event.stop()
            self._close()

    @on(events.DescendantBlur)
    def _left(self, event: events.DescendantBlur) -> None:
        if isinstance(event.widget, Input):
            self.query_one(Input).display = False

    def _close(self) -> None:
        self.query_one(Input).display = False
        self.query_one(ChipRow).focus()
