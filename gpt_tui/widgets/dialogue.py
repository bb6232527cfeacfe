"""The talking part of the Chat tab: what was said, two models side by side, an answer's tokens, and the prompt."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from core.text import printable, shorten

from ..chat.conversation import Exchange
from ..chat.room import Room
from ..i18n import _
from .answer import ExchangeView
from .chat_prompt import Prompt
from .talk import Pairs, Talk
from .token_view import TokenPage


class Dialogue(Vertical):
    """Shows one of 'talk', 'compare' and 'tokens', the last on top of one of the others, and the prompt under it."""

    @dataclass
    class Asked(Message):
        """A question has gone to the answering thread."""

    @dataclass
    class ViewChanged(Message):
        view: str

    def __init__(self, room: Room, *, draft: str = "", view: str = "talk", id: str | None = None) -> None:
        super().__init__(id=id)
        self.room = room
        self.view = self.under = view
        self.chosen: Exchange | None = None
        """The exchange that Again, Copy and Tokens are about; None: the last one."""
        self.editing: Exchange | None = None
        """The exchange whose question is in the prompt."""
        self.walked: int | None = None
        """Place of the question taken back; None: a new one is being typed."""
        self.draft = draft
        self.waiting = False
        """The question in the prompt is to be sent as soon as there is a model."""
        self.summary = ""
        """The options, where they are not beside the conversation."""

    def compose(self) -> ComposeResult:
        yield Talk(id="talk")
        yield Pairs(id="pairs")
        yield TokenPage(id="tokens")
        yield Prompt(
            self.draft,
            placeholder=_("Ask something · Enter sends · Ctrl+J new line · Esc, then 1–5: tabs"),
            id="prompt",
        )

    @property
    def prompt(self) -> Prompt:
        return self.query_one(Prompt)

    def on_resize(self) -> None:
        self.show_note()

    async def fill(self) -> None:
        """Everything anew."""
        await self.show_talk()
        await self.query_one(Pairs).show(self.room.pairs, _("Ask something: both models answer, one after the other."))

    async def show_talk(self) -> None:
        hint = _("Ask something: what the model has learnt comes from the run's data alone.")
        if self.room.choice is None and self.room.listed:
            hint = _("There is no trained run yet. Train one in the first tab, then ask it here.")
        await self.query_one(Talk).show(self.room.conversation, hint)

    def refresh_answers(self, moved: list[Exchange]) -> None:
        """Show what has come of these answers; nothing else is painted."""
        self.query_one(Talk).refresh_answers(moved)
        self.query_one(Pairs).refresh_answers(moved)

    def show_view(self, view: str) -> None:
        """'talk', 'compare' or 'tokens'."""
        self.view = view
        if view != "tokens":
            self.under = view
        self.query_one(Talk).display = view == "talk"
        self.query_one(Pairs).display = view == "compare"
        self.query_one(TokenPage).display = view == "tokens"
        self.post_message(self.ViewChanged(view))

    def show_note(self) -> None:
        """What the frame of the prompt says. Set only when it changes: it paints the prompt."""
        title = ""
        if self.walked is not None:
            title = _("question {n} taken back · Enter asks it again · Esc leaves it").format(n=self.walked + 1)
        for name, text in (("border_title", title), ("border_subtitle", self.summary)):
            content = Content(shorten(text, max(20, self.size.width - 8))) if text else None
            if getattr(self.prompt, f"_{name}", None) != content:
                setattr(self.prompt, name, content)

    # -- asking ---------------------------------------------------------------------------------------------

    @on(Prompt.Submitted)
    async def _submitted(self, message: Prompt.Submitted) -> None:
        message.stop()
        await self.send()

    async def send(self) -> None:
        """Ask what stands in the prompt."""
        text = self.prompt.text.strip()
        if not text:
            self.prompt.focus()
            return
        self.waiting = self.room.choice is None and not self.room.listed
        if self.waiting:
            return
        if self.room.choice is None:
            self.app.notify(_("there is no model to ask yet"), severity="warning", markup=False)
            return
        if self.room.busy:
            self.app.notify(_("an answer is being written; Esc stops it"), markup=False)
            return
        editing = self.editing
        self.leave_edit()
        self.prompt.put("")
        if self.view == "tokens":
            self.show_view(self.under)
        if self.view == "compare":
            await self.query_one(Pairs).add(self.room.compare(text))
        elif editing is not None:
            await self._replace(editing, text)
        else:
            await self.query_one(Talk).add(self.room.ask(text))
        self.post_message(self.Asked())

    async def again(self) -> None:
        """Ask the last question once more, or the one that is marked."""
        target = self.target()
        if target is None:
            return
        self.leave_edit()
        self.show_view(self.under)
        if self.under == "compare":
            self.room.compare(self.room.pairs.pop().question)
            await self.query_one(Pairs).show(self.room.pairs)
        else:
            await self._replace(target, None)
        self.post_message(self.Asked())

    async def _replace(self, exchange: Exchange, text: str | None) -> None:
        fresh = self.room.again(exchange, text)
        await self.show_talk()
        if self.room.conversation.exchanges[-1] is not fresh:
            self.query_one(Talk).mark(fresh)

    def back(self) -> bool:
        """One step back: out of the tokens, the answer stopped, the edit left, out of the comparison.

        Returns whether there was anything to go back from.
        """
        if self.view == "tokens":
            self.show_view(self.under)
        elif self.room.busy:
            self.room.stop()
        elif self.walked is not None:
            self.leave_edit()
            self.prompt.put(self.draft)
        elif self.chosen is not None:
            self.leave_edit()
        elif self.view == "compare":
            self.show_view("talk")
        else:
            return False
        self.prompt.focus()
        return True

    # -- which exchange is meant ------------------------------------------------------------------------------

    def target(self) -> Exchange | None:
        """The exchange that Again, Copy and Tokens are about."""
        if self.chosen is not None:
            return self.chosen
        if self.under == "compare":
            return self.room.pairs[-1].sides[0].exchange if self.room.pairs else None
        exchanges = self.room.conversation.exchanges
        return exchanges[-1] if exchanges else None

    @on(ExchangeView.Chosen)
    def _exchange_chosen(self, message: ExchangeView.Chosen) -> None:
        message.stop()
        self._choose(None if self.chosen is message.exchange else message.exchange)

    def _choose(self, exchange: Exchange | None) -> None:
        self.chosen = exchange
        for view in self.query(ExchangeView):
            view.set_class(view.exchange is exchange, "-chosen")
        self.refresh_bindings()

    @on(Prompt.Walked)
    def _walked(self, message: Prompt.Walked) -> None:
        message.stop()
        self.walk(message.by)

    def walk(self, by: int) -> None:
        """Through the earlier questions, as in a shell; behind the last one waits what was being typed."""
        if self.under == "compare":
            questions: list[tuple[str, Exchange | None]] = [(pair.question, None) for pair in self.room.pairs]
        else:
            questions = [(exchange.question, exchange) for exchange in self.room.conversation.exchanges]
        if self.room.busy or not questions or (self.walked is None and by > 0):
            return
        if self.walked is None:
            self.draft, self.walked = self.prompt.text, len(questions)
        place = max(0, self.walked + by)
        if place >= len(questions):
            self.leave_edit()
            self.prompt.put(self.draft)
            return
        self.walked = place
        text, self.editing = questions[place]
        self.prompt.put(text)
        self._choose(self.editing)
        self.query_one(Talk).mark(self.editing)
        self.show_note()

    def leave_edit(self) -> None:
        """Nothing is marked or being edited any more."""
        self.walked = self.editing = None
        self._choose(None)
        self.query_one(Talk).mark(None)
        self.show_note()

    # -- what is done with an answer ----------------------------------------------------------------------------

    @on(Prompt.Told)
    def _told(self, message: Prompt.Told) -> None:
        message.stop()
        self.copy()

    def copy(self) -> None:
        """An answer to the clipboard; of a comparison both, unless one of them is marked."""
        target = self.target()
        if target is None or not target.answer:
            return
        both = self.under == "compare" and self.chosen is None
        text = self.room.pairs[-1].as_text() if both else target.answer
        self.app.copy_to_clipboard(printable(text, keep_newlines=True))
        self.app.notify(_("copied: {text}").format(text=shorten(printable(text), 40)), timeout=2, markup=False)

    def tokens(self) -> None:
        """The token view of an answer, or out of it."""
        target = self.target()
        if self.view == "tokens":
            self.back()
        elif target is not None:
            self.show_view("tokens")
            self.query_one(TokenPage).show(target.question, list(target.pieces))
