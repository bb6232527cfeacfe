"""The Chat tab: asking a model, comparing two, and looking at the tokens of an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Select

from core.errors import UserError

from ..actions import key_bindings
from ..chat.engine import Engine, Entry, ModelEngine
from ..chat.options import SENTENCE_STOPS, Options, toggled
from ..chat.records import LIVE, Choice
from ..chat.room import Room
from ..cli import say
from ..i18n import _
from ..messages import OpenInChat
from ..widgets.chat_actions import ACTIONS, Twice, possible
from ..widgets.chat_options import OptionsPanel
from ..widgets.chat_picker import ModelPicker
from ..widgets.chat_prompt import SafeInput
from ..widgets.dialogue import Dialogue
from .base import Pane

if TYPE_CHECKING:
    from core.config import Config
    from core.schema import SamplingConfig

    from ..desk import Desk
    from ..history import Snapshot

WIDE = 100
"""Columns from which the options stand beside the conversation by themselves."""
POLL = 0.1
"""Seconds between two looks at an answer that is being written."""
PANEL = "chat.options"


class ChatPane(Pane):
    """Shows the ``Room`` and carries out what a person asks for."""

    BINDINGS = key_bindings(ACTIONS)

    @dataclass
    class Listed(Message):
        """The runs that there are, found by a thread."""

        entries: list[Entry]
        problem: str = ""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, ChatPane.Listed)

    def __init__(self, desk: Desk, engine: Engine | None = None) -> None:
        super().__init__(desk)
        self.room = Room(engine or ModelEngine(desk.session.live_model, lambda: desk.session.active))
        self._draft, self._view = "", "talk"  # kept for the moment in which the parts are composed anew
        self._panel = desk.settings.get(PANEL, "") if desk.settings is not None else ""
        self._ready = False
        """Whether the parts are there: while the language changes they are not."""
        self._seen: object = None
        self._forget = Twice()

    def preset(self, sampling: Callable[[Config], SamplingConfig] | None, seed: int | None) -> None:
        """How models answer from the first question on, as the command line asks for; before any is loaded."""
        if sampling is not None and isinstance(self.room.engine, ModelEngine):
            self.room.engine.sampling_of = sampling
        self.room.seed = seed

    def compose(self) -> ComposeResult:
        yield ModelPicker(id="model-a")
        yield ModelPicker(id="model-b")
        with Horizontal(id="chat-body"):
            yield Dialogue(self.room, draft=self._draft, view=self._view, id="chat-main")
            yield OptionsPanel(self.room.options, id="chat-options")

    @property
    def dialogue(self) -> Dialogue:
        return self.query_one(Dialogue)

    async def on_mount(self) -> None:
        self._timer = self.set_interval(POLL, self._poll, pause=True)
        await self._fill()

    def on_unmount(self) -> None:
        self.room.close()

    async def retranslate(self) -> None:
        self._ready, focused = False, self.has_focus_within
        self._draft, self._view = self.dialogue.prompt.text, self.dialogue.under
        await super().retranslate()
        await self._fill()
        if focused:  # or the focus would go to a tab that is not even open
            self.dialogue.prompt.focus()

    async def _fill(self) -> None:
        await self.dialogue.fill()
        self._ready = True
        self._show_pickers()
        self.dialogue.show_view(self.dialogue.under)

    # -- what there is to ask -------------------------------------------------------------------------------

    def shown(self) -> None:
        self._list_runs()
        if self._ready:
            self.dialogue.prompt.focus()

    def tick(self, snapshot: Snapshot) -> None:
        """A training began, ended or saved: there may be other checkpoints, and live weights or none."""
        own = self.desk.session.snapshot()
        seen = (own.active, own.started is not None, own.run_path, own.saved, own.quantized)
        if seen != self._seen:
            self._seen = seen
            self._list_runs()
        elif self._ready and own.active:  # the step of the weights as they are now
            self._show_pickers()

    def _list_runs(self) -> None:
        """Look into the folder of runs, in a thread: it may be slow, and needs torch to be imported."""
        folder, engine = self.desk.runs_dir, self.room.engine

        def look() -> None:
            try:
                message = self.Listed(engine.runs(folder))
            except (UserError, OSError) as error:
                message = self.Listed([], say(error))
            self.post_message(message)

        threading.Thread(target=look, name="chat-list", daemon=True).start()

    @on(Listed)
    async def _runs_listed(self, message: Listed) -> None:
        message.stop()
        own = self.desk.session.snapshot()
        if not self._ready:
            self._list_runs()
            return
        first, before = not self.room.listed, self.room.choice
        self.room.offer(message.entries, own.live_run, None if self.room.busy else own.run_path)
        self.room.warning = message.problem or self.room.warning
        if first or self.room.choice != before:
            await self._model_changed()
        self._show_pickers()
        self._wake()
        if self.dialogue.waiting:
            await self.dialogue.send()

    async def on_open_in_chat(self, message: OpenInChat) -> None:
        """Ask this run from now on; without a checkpoint its newest one."""
        message.stop()
        # The list of runs, which says it too, may still be on its way.
        self.room.live_run = self.desk.session.snapshot().live_run or self.room.live_run
        live = message.run_path == self.room.live_run
        self.room.choose(Choice(message.run_path, message.checkpoint or (LIVE if live else "last")))
        self.dialogue.show_view("talk")
        await self._model_changed()

    @on(ModelPicker.Chosen)
    async def _model_chosen(self, message: ModelPicker.Chosen) -> None:
        message.stop()
        if message.picker.id == "model-a":
            self.room.choose(message.choice)
            await self._model_changed()
        else:
            self.room.choose_other(message.choice)
            self._wake()
        self.dialogue.prompt.focus()

    async def _model_changed(self) -> None:
        self.dialogue.leave_edit()
        await self.dialogue.show_talk()
        self._show_pickers()
        self._show_options()
        self._wake()

    def _show_pickers(self) -> None:
        for name, choice in (("#model-a", self.room.choice), ("#model-b", self.room.other)):
            picker = self.query_one(name, ModelPicker)
            picker.offer(self.room.entries, self.room.live_run)
            if picker.choice != choice:
                picker.choose(choice)
            step = self.desk.session.snapshot().step if choice is not None and choice.live else None
            picker.show_look(self.room.looks.get(choice) if choice is not None else None, step)

    @on(Dialogue.ViewChanged)
    def _view_changed(self, message: Dialogue.ViewChanged) -> None:
        message.stop()
        if not self._ready:
            return
        compare = self.dialogue.under == "compare"
        self.query_one("#model-b").display = compare
        self.query_one("#model-a", ModelPicker).show_label("A" if compare else "")
        self.query_one("#model-b", ModelPicker).show_label("B")
        self._show_options()
        self.refresh_bindings()

    # -- how it answers -------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= WIDE, "-wide")
        self._show_options()

    def _show_options(self) -> None:
        if not self._ready:
            return
        panel = self.query_one(OptionsPanel)
        wanted = self.has_class("-wide") if self._panel not in ("on", "off") else self._panel == "on"
        panel.display = wanted and self.dialogue.view != "tokens"
        panel.disabled = not self.room.options_known
        if panel.options != self.room.options:
            panel.show(self.room.options)
        self.dialogue.summary = "" if panel.display else self.room.options.summary()
        self.dialogue.show_note()

    @on(OptionsPanel.Changed)
    def _options_changed(self, message: OptionsPanel.Changed) -> None:
        message.stop()
        self._set_options(message.options)

    def _set_options(self, options: Options) -> None:
        self.room.options = options
        self._show_options()

    # -- answers as they come -------------------------------------------------------------------------------

    @on(Dialogue.Asked)
    def _wake(self) -> None:
        """Look at the answering thread until it has nothing to do."""
        self._timer.resume()
        self.refresh_bindings()

    def _poll(self) -> None:
        if not self._ready:
            return
        known = self.room.options_known
        busy = self.room.answerer.busy  # looked at first: what it finished since is then shown below
        self.dialogue.refresh_answers(self.room.take())
        self._show_pickers()
        if self.room.options_known != known:
            self._show_options()
        if warning := self.room.take_warning():
            self.notify(warning, severity="warning", markup=False)
        if not busy:
            self._timer.pause()
            self.refresh_bindings()

    # -- actions --------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """None: greyed."""
        if not self._ready:
            return None
        return True if possible(action, self.room, self.dialogue.target()) else None

    async def action_send(self) -> None:
        await self.dialogue.send()

    def action_back(self) -> None:
        if self.dialogue.back():
            return
        if self.dialogue.prompt.has_focus:
            self.focus()  # out of the prompt: numbers open tabs again
        elif not self.has_focus:  # once out of it, pressing again for safety does not lead back in
            self.dialogue.prompt.focus()

    def on_key(self, event: events.Key) -> None:
        """Outside the prompt, numbers and ? are the app's keys; what else is typed is a question, Enter goes back."""
        typed = event.character or ""
        question = event.is_printable and typed not in "12345?"
        if self.has_focus and self._ready and (question or event.key == "enter"):
            event.stop()
            event.prevent_default()
            self.dialogue.prompt.focus()
            self.dialogue.prompt.insert(typed if question else "")

    async def action_again(self) -> None:
        await self.dialogue.again()

    def action_edit(self) -> None:
        self.dialogue.prompt.focus()
        self.dialogue.walk(-1)

    def action_copy(self) -> None:
        self.dialogue.copy()

    def action_tokens(self) -> None:
        self.dialogue.tokens()

    def action_compare(self) -> None:
        self.dialogue.leave_edit()
        if self.dialogue.under == "compare":
            self.dialogue.show_view("talk")
        else:
            self.room.suggest_other()
            self.dialogue.show_view("compare")
            self._show_pickers()
            self._wake()
        self.dialogue.prompt.focus()

    def action_options(self) -> None:
        panel = self.query_one(OptionsPanel)
        self._panel = "off" if panel.display else "on"
        if self.desk.settings is not None:
            self.desk.settings.put(PANEL, self._panel)
        self._show_options()
        if panel.display and not panel.disabled:
            panel.query(SafeInput).first().focus()
        else:
            self.dialogue.prompt.focus()

    def action_model(self) -> None:
        select = self.query_one("#model-a .run", Select)
        select.focus()
        select.action_show_overlay()

    def action_multi_turn(self) -> None:
        options = self.room.options
        self._set_options(replace(options, with_history=not options.with_history))
        self.notify(_("each question alone") if options.with_history else _("with history"), timeout=2)

    def action_sentence_stops(self) -> None:
        options = self.room.options
        stops = toggled(tuple(options.sampling.stop), SENTENCE_STOPS)
        self._set_options(options.with_stops(stops))
        on_now = all(stop in stops for stop in SENTENCE_STOPS)
        self.notify(_("answers end at 。 and ；") if on_now else _("answers do not end at 。 and ；"), timeout=2)

    async def action_new(self) -> None:
        self.room.conversation.start_over()
        self.dialogue.leave_edit()
        self.dialogue.show_view("talk")
        await self.dialogue.show_talk()

    async def action_forget(self) -> None:
        if not self._forget.sure():
            self.notify(_("once more within 10 seconds deletes everything asked of this run"),
                        severity="warning", markup=False)  # fmt: skip
            return
        self.room.forget()
        self.dialogue.leave_edit()
        await self.dialogue.show_talk()
