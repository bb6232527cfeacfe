"""One question and its answer as it grows. Only this widget is painted while tokens come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widget import Widget

from core.text import printable

from ..chat.conversation import FEW, Exchange
from ..chat.options import stop_label
from ..chat.records import checkpoint_label
from ..i18n import _
from ..verdicts import question_cut


def why_stopped(reason: str, stop: str) -> str:
    """Why an answer ended, in words."""
    if reason == "stop":
        return _("stopped at {stop}").format(stop=stop_label(stop))
    return {
        "end": _("the model ended it"),
        "length": _("longest length reached"),
        "user": _("stopped by you"),
    }.get(reason, printable(reason))


def facts(exchange: Exchange, brief: bool = False) -> str:
    """The line under an answer: how long, how fast, why it stopped, and (unless ``brief``) by whom."""
    reply = exchange.reply
    if reply is not None and not reply.over:
        waiting = {"waiting": _("waiting"), "loading": _("loading the model")}
        if reply.state in waiting:
            return f"… {waiting[reply.state]}"
        return "… " + _speed(len(reply.pieces), reply.rate)
    parts = []
    if exchange.cut:
        parts.append("! " + question_cut(exchange.cut))
    if exchange.tokens:
        parts.append(_speed(exchange.tokens, exchange.rate))
    if exchange.reason:
        parts.append(why_stopped(exchange.reason, exchange.stop))
    if exchange.error:
        return "" if brief else printable(checkpoint_label(exchange.checkpoint))
    if exchange.checkpoint and not brief:
        parts.append(_("{checkpoint} @ step {step}").format(
            checkpoint=printable(checkpoint_label(exchange.checkpoint)), step=exchange.step))  # fmt: skip
    if exchange.with_history:
        parts.append(_("with history"))
    return " · ".join(parts)


def _speed(tokens: int, rate: float) -> str:
    text = _("{n} tokens").format(n=tokens)
    return f"{text} · " + _("{rate:,.0f} tok/s").format(rate=rate) if rate and tokens >= FEW else text


class ExchangeView(Widget):
    """A question, its answer, and the facts under it.

    One widget, not three: a long conversation is laid out anew whenever an answer grows by a line.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "exchange--question", "exchange--answer", "exchange--earlier", "exchange--error", "exchange--facts",
    }  # fmt: skip

    @dataclass
    class Chosen(Message):
        """Clicked on."""

        exchange: Exchange

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.exchange = exchange
        self._version: object = None

    def heading(self) -> Content:
        """What stands above the answer."""
        question = printable(self.exchange.question, keep_newlines=True).expandtabs(4)
        return Content(f"❯ {question}").stylize(self.style_of("question"))

    def facts(self) -> str:
        return facts(self.exchange)

    def style_of(self, part: str) -> Style:
        return self.get_visual_style(f"exchange--{part}", partial=True)

    def refresh_answer(self) -> None:
        """Show what has come since the last time; nothing is painted if nothing has."""
        exchange = self.exchange
        version = (exchange.reply.version if exchange.reply else None, exchange.answer, exchange.error)
        if version != self._version:
            self._version = version
            self.refresh(layout=True)

    def notify_style_update(self) -> None:
        """Another theme: the styles in the text are other ones too."""
        super().notify_style_update()
        self.refresh()

    def render(self) -> Content:
        exchange = self.exchange
        text = printable(exchange.answer, keep_newlines=True).expandtabs(4)
        if exchange.error:
            answer = Content(f"✗ {printable(exchange.error)}").stylize(self.style_of("error"))
        elif exchange.reply is not None:
            answer = Content(text + "▌")  # it grows
        else:
            answer = Content(text or _("(an empty answer)"))
            answer = answer.stylize(self.style_of("earlier" if exchange.earlier or not text else "answer"))
        under = Content(self.facts()).stylize(self.style_of("facts"))
        return Content("\n").join([self.heading(), answer, under])

    def on_click(self, event: events.Click) -> None:
        # A click that ended a selection of text is no choice.
        if not self.screen.get_selected_text():
            self.post_message(self.Chosen(self.exchange))
