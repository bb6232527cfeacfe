"""The form with all that is shown around it: brought up to date from ``FormState``, from a worker's estimates and from
the training. What a person types is ``FormPane``'s."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.css.query import NoMatches
from textual.message import Message
from textual.widgets import Static

from core.settings import Setting

from ..estimates import Facts
from ..messages import TrainingEnded, TrainingStarted
from ..panes.base import Pane
from .form import Form, GroupBar, matches, sections
from .form_facts import FactFinder, Measure
from .form_readouts import ReadOuts
from .form_recipes import Recipes
from .form_state import FormState
from .form_tools import Tools
from .form_training import Follower

if TYPE_CHECKING:
    from ..desk import Desk
    from ..history import Snapshot

#: Columns from which the figures stand beside the form.
WIDE = 108


class FormView(Pane):
    """The parts of the Config tab, and what they show."""

    @dataclass
    class Found(Message):
        """What a worker has looked up for the estimates."""

        facts: Facts | None

    def __init__(self, desk: Desk, measure: Measure | None = None) -> None:
        """``measure``: as for ``FactFinder``."""
        super().__init__(desk)
        self.state = FormState(desk)
        self.recipes = Recipes(self.state)
        self.follower = Follower(self.state)
        self.finder = FactFinder(desk, measure)
        self._built = False
        self._drawing = asyncio.Lock()
        self._section = sections()[0]
        self._words = ""
        self._only_changed = False
        self._last = ""
        """The field that had the focus last."""
        self._possible: tuple[bool, bool] | None = None

    # -- parts ------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Tools(self.recipes.choices(), self.state.source, self._words)
        yield GroupBar()
        yield Static(id="config-note")
        with Container(id="config-body"):
            if self._built:
                yield Form(self.state.look, self._section)
            yield ReadOuts()

    def on_mount(self) -> None:
        self._set_up()

    def _set_up(self) -> None:
        self._shape()
        self._note()
        self._count()

    def on_resize(self, event: events.Resize) -> None:
        self._shape()

    def _shape(self) -> None:
        if not self._ready:
            return
        wide = self.size.width >= WIDE
        self.set_class(wide, "-wide")
        self.query_one(ReadOuts).shape(wide)

    @property
    def form(self) -> Form:
        return self.query_one(Form)

    @property
    def tools(self) -> Tools:
        return self.query_one(Tools)

    @property
    def _ready(self) -> bool:
        """Not before the parts are made, nor while they are made anew or taken down."""
        try:
            for part in ("#config-find", "#config-groups", "#config-note", "#config-readouts"):
                self.query_one(part)  # remembered by the pane; a query walks over all the rows of the form
        except NoMatches:
            return False
        return True

    async def _build(self) -> None:
        """The form itself is made when the tab is first opened: the app's first paint does not wait for it."""
        async with self._drawing:  # opened and used at once, from the palette
            if not self._built:
                form = Form(self.state.look, self._section)
                await self.query_one("#config-body").mount(form, before=0)
                await form.open(self._section)
                self._built = True

    def shown(self) -> None:
        if self.screen.focused is None or not self.screen.focused.is_on_screen:
            self.focus()
        self.run_worker(self._show(), group="config-show")

    async def _show(self) -> None:
        await self._build()
        self.state.catch_up()
        self.follower.look()
        self.finder.forget()
        await self._refresh()
        focused = self.screen.focused
        if focused is None or self not in focused.ancestors_with_self:
            self.focus()  # no field yet: a number pressed now still opens a tab, and changes no setting

    async def retranslate(self) -> None:
        self.state.leave_all()
        async with self._drawing:
            await self.recompose()
            self._set_up()
        if self._built:
            await self._filter()
            await self._refresh()

    def _focus_form(self) -> None:
        """To the field it was in, else the first that can be edited; where there is none, the tab takes the keys."""
        last = next((row for row in self.form.open_rows() if row.key == self._last), None)
        if last is not None:
            self.form.go_to(last)
        elif not self.form.focus_first():
            self.focus()

    # -- showing ----------------------------------------------------------------------------------------------

    async def _refresh(self) -> None:
        """Everything as the state has it."""
        if not self._ready:
            return
        if self._built:
            async with self._drawing:
                await self.form.show()
            if self.screen.focused is None and self.is_on_screen:  # the field that had it was closed
                self._focus_form()
        self._figures()
        self._count()
        self._note()
        self.tools.offer(self.recipes.choices(), self.state.source, closed=self.state.running is not None)
        self._renew_keys()

    def _refresh_soon(self) -> None:
        self.run_worker(self._refresh(), group="config-show")

    async def _filter(self) -> None:
        """Show the chosen group, or what is searched for in all of them."""
        await self._build()
        words, changed = self._words, set(self.state.changed())

        def wanted(setting: Setting) -> bool:
            return matches(setting, words) and (not self._only_changed or setting.key in changed)

        async with self._drawing:
            await self.form.find(wanted if words.strip() or self._only_changed else None)
            await self.form.show()

    def _figures(self) -> None:
        config = self.state.draft.config
        self.query_one(ReadOuts).show(self.finder.estimate(config), self.state.command())
        if self._built:
            search = self.finder.search(config, lambda facts: self.post_message(self.Found(facts)))
            if search is not None:
                self.run_worker(search, thread=True, group="config-facts", exit_on_error=False)

    @on(Found)
    def _found(self, event: FormView.Found) -> None:
        event.stop()
        self.finder.found(event.facts)
        if self._ready:
            self._figures()

    def _count(self) -> None:
        self.tools.count(len(self.state.changed()))
        self._bar()

    def _bar(self) -> None:
        """Which group is open, and in which there are changes."""
        if not self._ready:
            return
        searching = self._built and self.form.searching
        changed = frozenset(key.partition(".")[0] for key in self.state.changed())
        wrong = frozenset(key.partition(".")[0] for key in self.state.draft.problems)
        self.query_one(GroupBar).show("" if searching else self._section, changed, wrong)

    def _note(self) -> None:
        text = self.follower.note()
        note = self.query_one("#config-note", Static)
        note.display = bool(text)
        if str(note.content) != text:
            note.update(Content(text))

    def _renew_keys(self) -> None:
        """Grey what is impossible now. Not at every key press: the footer is made anew each time."""
        possible = (self.state.running is None, self.state.can_reset)
        if possible != self._possible:
            self._possible = possible
            self.refresh_bindings()

    def tick(self, snapshot: Snapshot) -> None:
        if not self._ready:
            return
        caught_up = self.state.catch_up()
        if self.follower.look() or caught_up:
            self._refresh_soon()
        elif self._built and self.finder.unknown:
            self._figures()
        self._note()

    @on(TrainingStarted)
    @on(TrainingEnded)
    def _training(self) -> None:
        self.finder.forget()  # there is one more run to judge by
        self.tick(self.desk.snapshot())
