"""The form: every setting of the schema in groups, made from the schema alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from core.config import Config
from core.settings import Setting, settings
from core.text import cell_width

from ..i18n import _
from ..setting_words import help_text, section_title, unit_text
from .form_row import FieldRow, Look

#: Not in the form: the picker above it and the question for a new recipe's name have them.
OUTSIDE = ("recipe", "description")


def form_settings() -> list[Setting]:
    """The settings that have a field, in the order of the schema."""
    return [setting for setting in settings().values() if setting.key not in OUTSIDE]


def section_of(setting: Setting) -> str:
    return setting.key.rpartition(".")[0]


def sections() -> list[str]:
    return [section for section, _members in groupby(form_settings(), section_of)]


def matches(setting: Setting, words: str) -> bool:
    """Whether a field has all of the words in its name, its group, its unit or its help, in either language."""
    text = " ".join(
        [setting.key, setting.help, help_text(setting), setting.unit, unit_text(setting),
         section_title(section_of(setting))]
    ).lower()  # fmt: skip
    return all(word in text for word in words.lower().split())


class Group(Vertical):
    """The rows of one section. They are made when they are first shown: fifty fields take half a second."""

    def __init__(self, section: str, look: Callable[[Setting], Look]) -> None:
        super().__init__(id=f"group-{section}")
        self.section = section
        self._look = look
        self.built = False

    def compose(self) -> ComposeResult:
        text = f"{section_title(self.section)} – {_(Config.model_fields[self.section].description or '')}"
        yield Static(Content(text), classes="form-heading")

    async def build(self) -> None:
        if not self.built:
            self.built = True
            members = [setting for setting in form_settings() if section_of(setting) == self.section]
            await self.mount_all(FieldRow(setting, self._look(setting)) for setting in members)

    def rows(self) -> list[FieldRow]:
        return [child for child in self.children if isinstance(child, FieldRow)]


class Form(VerticalScroll, can_focus=False, inherit_bindings=False):
    """One group at a time, or what is searched for in all of them.

    ``step`` goes from field to field and on into the next group, ``step_group`` from group to group.
    """

    class Opened(Message):
        """Another group is shown."""

    def __init__(self, look: Callable[[Setting], Look], section: str = "") -> None:
        """``look`` says how a row stands at the moment."""
        super().__init__(id="config-form")
        self._look = look
        self.section = section or sections()[0]
        self.searching = False

    def compose(self) -> ComposeResult:
        for section in sections():
            group = Group(section, self._look)
            group.display = section == self.section
            yield group
        none = Static(Content(_("no setting is like that")), id="form-none")
        none.display = False
        yield none

    def groups(self) -> list[Group]:
        return [child for child in self.children if isinstance(child, Group)]

    def rows(self) -> list[FieldRow]:
        """The rows that were made so far."""
        return [row for group in self.groups() for row in group.rows()]

    async def row(self, key: str) -> FieldRow:
        """The row of a setting, in sight."""
        section = key.rpartition(".")[0]
        if not self.searching:
            await self.open(section)
        group = self.query_one(f"#group-{section}", Group)
        await group.build()
        return next(row for row in group.rows() if row.key == key)

    @property
    def current(self) -> FieldRow | None:
        """The row that has the focus."""
        focused = self.screen.focused
        if focused is None:
            return None
        return next((node for node in focused.ancestors_with_self if isinstance(node, FieldRow)), None)

    async def show(self, keys: Iterable[str] | None = None) -> None:
        """Look at all rows, or at some, again."""
        chosen = None if keys is None else set(keys)
        for row in self.rows():
            if chosen is None or row.key in chosen:
                await row.show(self._look(row.setting))

    async def open(self, section: str) -> None:
        """Show one group."""
        self.section = section
        if not self.searching:
            for group in self.groups():
                if group.section == section:
                    await group.build()
                group.display = group.section == section
            self.query_one("#form-none").display = False
        self.post_message(self.Opened())

    async def find(self, wanted: Callable[[Setting], bool] | None) -> int:
        """Show only some rows, of all groups; None: the chosen group again. Returns how many are shown."""
        self.searching = wanted is not None
        if wanted is None:
            for row in self.rows():
                row.display = True
            await self.open(self.section)
            return len(self.open_rows())
        count = 0
        for group in self.groups():
            if any(wanted(setting) for setting in form_settings() if section_of(setting) == group.section):
                await group.build()
            shown = 0
            for row in group.rows():
                row.display = wanted(row.setting)
                shown += row.display
            group.display = shown > 0
            count += shown
        self.query_one("#form-none").display = count == 0
        self.scroll_home(animate=False)
        self.post_message(self.Opened())
        return count

    def go_to(self, row: FieldRow) -> None:
        """Give a row the focus, with its help and, for the first of a group, the heading in sight."""
        row.control.focus(scroll_visible=False)
        siblings = row.parent.children if row.parent is not None else ()
        if len(siblings) > 1 and siblings[1] is row:
            self.scroll_to_widget(siblings[0], animate=False)
        self.scroll_to_widget(row, animate=False)

    def open_rows(self) -> list[FieldRow]:
        """The rows that are shown and can be edited."""
        return [
            row for group in self.groups() if group.display for row in group.rows() if row.display and not row.disabled
        ]

    async def step(self, by: int) -> None:
        """To the field so many further; at the end of a group into the next one."""
        rows = self.open_rows()
        current = self.current
        if rows and current not in rows:
            self.go_to(rows[0] if by > 0 else rows[-1])
            return
        at = rows.index(current) + by if current is not None and rows else by
        if not 0 <= at < len(rows) and not self.searching:
            edge = 0 if by < 0 else len(rows) - 1
            if not rows or current is rows[edge]:
                await self._step_group(1 if by > 0 else -1, last=by < 0)
                return
        if rows:
            self.go_to(rows[max(0, min(len(rows) - 1, at))])

    async def step_group(self, by: int) -> None:
        """To the first field of the next group."""
        if not self.searching:
            await self._step_group(by)
            return
        rows, current = self.open_rows(), self.current
        firsts = [next(members) for _section, members in groupby(rows, lambda row: section_of(row.setting))]
        at = rows.index(current) if current in rows else -1
        further = [row for row in firsts if (rows.index(row) > at if by > 0 else rows.index(row) < at)]
        if further:
            self.go_to(further[0] if by > 0 else further[-1])

    async def _step_group(self, by: int, *, last: bool = False) -> None:
        """To the next group with a field that can be edited."""
        every = sections()
        at = every.index(self.section) + by
        while 0 <= at < len(every):
            await self.open(every[at])
            rows = self.open_rows()
            if rows:
                self.go_to(rows[-1] if last else rows[0])
                return
            at += by

    def focus_first(self) -> bool:
        """The focus to the first field that can be edited; False where there is none."""
        rows = self.open_rows()
        if rows:
            self.go_to(rows[0])
        return bool(rows)


class GroupBar(Static):
    """The names of the groups, the open one reversed, those with changes marked; a click opens one."""

    ALLOW_SELECT = False

    class Chosen(Message):
        def __init__(self, section: str) -> None:
            super().__init__()
            self.section = section

    def __init__(self) -> None:
        super().__init__(id="config-groups")
        self._shown: tuple[str, frozenset[str], frozenset[str]] = ("", frozenset(), frozenset())
        self._ends: list[tuple[int, str]] = []

    def show(self, section: str, changed: frozenset[str], wrong: frozenset[str]) -> None:
        """``section``: the open one, '' for none; ``changed`` and ``wrong``: sections with such fields."""
        if self._shown != (section, changed, wrong) or not self._ends:
            self._shown = (section, changed, wrong)
            self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        section, changed, wrong = self._shown
        parts: list[object] = []
        self._ends = []
        at = 0
        for name in sections():
            mark = "✗" if name in wrong else "*" if name in changed else ""
            text = f" {section_title(name)}{mark} "
            parts += [(text, "bold reverse" if name == section else ""), " "]
            at += sum(map(cell_width, text)) + 1
            self._ends.append((at, name))
        room = self.content_size.width - at
        hints = ["  " + _("↑ ↓ fields · Esc out"), "  ↑ ↓ · Esc"]
        hint = next((text for text in hints if sum(map(cell_width, text)) <= room), "")
        parts.append((hint, "dim"))
        self.update(Content.assemble(*parts), layout=False)  # type: ignore[arg-type]

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is not None:
            name = next((name for end, name in self._ends if place.x < end), None)
            if name is not None:
                self.post_message(self.Chosen(name))
