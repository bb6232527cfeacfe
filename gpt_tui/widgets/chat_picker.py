"""Choosing a model: a run, one of its checkpoints, and what came of loading it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Select, Static

from core.text import cell_width, printable, shorten

from ..chat.answerer import Reply
from ..chat.engine import Entry, first_checkpoint
from ..chat.records import LIVE, Choice, Facts, checkpoint_label, choice_of_path
from ..format import size
from ..i18n import _
from .chat_prompt import SafeInput

PATH = "\0path"
"""The entry behind which a path is typed; no checkpoint can be called so."""
MOST_NAME = 40
_NOTHING = Content("–")


def facts_of(facts: Facts, width: int = 0) -> str:
    """A loaded model in a few words, as many as have room in ``width`` cells; 0: all."""
    parts = [_("step {n}").format(n=facts.step), facts.number_format, _count(facts.parameters)]
    parts.append(size(facts.bytes) if facts.bytes else _("in memory"))
    while width and len(parts) > 1 and sum(map(cell_width, " · ".join(parts))) > width:
        parts.pop()
    return " · ".join(parts)


def _count(parameters: int) -> str:
    return f"{parameters / 1e6:.1f}M" if parameters >= 1e6 else f"{parameters / 1e3:.0f}k"


class ModelPicker(Vertical):
    """One line: run, checkpoint, state; a second one while a path is typed."""

    @dataclass
    class Chosen(Message):
        picker: ModelPicker
        choice: Choice

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.entries: list[Entry] = []
        self.live_run: Path | None = None
        self.choice: Choice | None = None

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("", markup=False, classes="which")
            yield Select([(_NOTHING, "")], allow_blank=False, compact=True, classes="run")
            yield Select([(_NOTHING, "")], allow_blank=False, compact=True, classes="checkpoint")
            yield Static("", markup=False, classes="state")
        line = SafeInput(compact=True, placeholder=_("path of a run or a checkpoint, Enter"))
        line.display = False
        yield line

    def on_mount(self) -> None:
        self._fill()

    def offer(self, entries: list[Entry], live_run: Path | None) -> None:
        """What there is to choose from. Nothing is painted if nothing has changed."""
        if any(select.expanded for select in self.query(Select)):
            return  # not while a person chooses
        if (entries, live_run) != (self.entries, self.live_run):
            self.entries, self.live_run = entries, live_run
            self._fill()

    def choose(self, choice: Choice | None) -> None:
        """Show a choice made elsewhere; posts nothing."""
        self.choice = choice
        self._fill()

    def show_label(self, label: str) -> None:
        """'A' or 'B' where there are two."""
        self.query_one(".which", Static).update(Content(label))

    def show_look(self, look: Reply | None, step: int | None = None) -> None:
        """What has come of loading the chosen model, at the end of the line; ``step``: where its training is by now."""
        if look is None:
            text = ""
        elif look.state == "failed":
            text = f"✗ {look.error}"
        else:
            room = self.query_one(".state").size.width
            facts = look.facts if step is None or look.facts is None else replace(look.facts, step=step)
            text = _("… loading") if facts is None else f"✓ {facts_of(facts, max(0, room - 2))}"
        state, content, error = self.query_one(".state", Static), Content(text), text.startswith("✗")
        if state.content != content:
            state.update(content, layout=False)
            state.set_class(error, "-error")
            state.tooltip = content if error else None

    def _entry(self, run: str) -> Entry | None:
        return next((entry for entry in self.entries if str(entry.path) == run), None)

    def _fill(self) -> None:
        if not self.is_mounted:
            return
        choice = self.choice
        run = str(choice.run) if choice is not None and choice.run is not None else ""
        runs = [(_name(entry.path, "★ " if entry.default else ""), str(entry.path)) for entry in self.entries]
        if run and self._entry(run) is None:
            runs.append((_name(Path(run)), run))
        entry = self._entry(run)
        names = list(entry.checkpoints) if entry is not None else []
        if run and self.live_run is not None and Path(run) == self.live_run:
            names.insert(0, LIVE)
        current = choice.checkpoint if choice is not None else ""
        if current and current not in names:
            names.append(current)
        checkpoints = [(_checkpoint_label(name), name) for name in names]
        checkpoints.append((Content(_("a path …")), PATH))
        if not run:
            runs.insert(0, (Content(_("choose a run") if runs else _("no run yet")), ""))
        if not current:
            checkpoints.insert(0, (_NOTHING, ""))
        with self.prevent(Select.Changed):
            self._put(self.query_one(".run", Select), runs, run)
            self._put(self.query_one(".checkpoint", Select), checkpoints, current)

    @staticmethod
    def _put(select: Select[str], options: list[tuple[Content, str]], value: str) -> None:
        select.set_options(options)
        select.value = value

    @on(Select.Changed, ".run")
    def _run_changed(self, event: Select.Changed) -> None:
        event.stop()
        if isinstance(event.value, str) and event.value:
            entry = self._entry(event.value)
            checkpoint = first_checkpoint(entry, self.live_run) if entry is not None else "last"
            self._chosen(Choice(Path(event.value), checkpoint))

    @on(Select.Changed, ".checkpoint")
    def _checkpoint_changed(self, event: Select.Changed) -> None:
        event.stop()
        if event.value == PATH:
            line = self.query_one(SafeInput)
            line.display = True
            line.focus()
        elif isinstance(event.value, str) and event.value:
            self._chosen(Choice(self.choice.run if self.choice is not None else None, event.value))

    @on(SafeInput.Submitted)
    def _path_typed(self, event: SafeInput.Submitted) -> None:
        event.stop()
        event.input.display = False
        if event.value.strip():
            self._chosen(choice_of_path(event.value))
        else:
            self._fill()

    @on(SafeInput.Blurred)
    def _path_left(self, event: SafeInput.Blurred) -> None:
        event.stop()
        event.input.display = False
        self._fill()

    def _chosen(self, choice: Choice) -> None:
        self.choose(choice)
        self.post_message(self.Chosen(self, choice))


def _name(path: Path, mark: str = "") -> Content:
    """``mark``: a star for the run that answers where none is named."""
    return Content(shorten(mark + printable(path.name), MOST_NAME))


def _checkpoint_label(name: str) -> Content:
    return Content(shorten(printable(checkpoint_label(name)), MOST_NAME))
