"""The terminal app: five tabs around one training."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.events import Event, InputEvent, Key
from textual.theme import Theme

from core.errors import UserError

from . import i18n
from .actions import APP_ACTIONS, PANES, TAB_KEYS, Action, key_bindings
from .cli import say, system_error
from .desk import Desk
from .history import Snapshot
from .i18n import _
from .leaving import Leave, Signals
from .messages import (
    ConfigEdited,
    OpenInChat,
    StartTraining,
    TrainingEnded,
    TrainingStarted,
    WatchRun,
)  # fmt: skip
from .pace import Beat
from .palette import ActionCommands
from .screens.error import ErrorScreen
from .screens.help import HelpScreen
from .screens.main import MainScreen
from .screens.quit import QuitScreen
from .settings import AppSettings
from .widgets.topbar import TabLabel

if TYPE_CHECKING:
    from textual.driver import Driver
    from textual.message import Message

    from core.config import Config
    from core.runs import Run

HERE = Path(__file__).parent
QUIET_SECONDS = 0.9  # from one drawing of the numbers to the next while a training is only watched


class GptApp(App[Leave]):
    """Shows the desk and carries out what the panes ask for."""

    TITLE = "gpt-tui"
    CSS_PATH: ClassVar[list[str | PurePath]] = ["app.tcss", *sorted((HERE / "panes").glob("*.tcss"))]
    BINDINGS: ClassVar[list[BindingType]] = key_bindings(APP_ACTIONS)
    COMMANDS = {ActionCommands}  # noqa: RUF012 - Textual declares it so

    def __init__(
        self,
        desk: Desk,
        *,
        driver_class: type[Driver] | None = None,
        when_open: Callable[[GptApp], None] | None = None,
        warm_up: Callable[[], None] | None = None,
    ) -> None:
        """``when_open`` is called after the first paint, ``warm_up`` then runs in a thread (imports torch)."""
        super().__init__(driver_class=driver_class)
        self.desk = desk
        self.settings = desk.settings or AppSettings()
        self.animation_level = "none"
        self._when_open, self._warm_up = when_open, warm_up
        self._seen: tuple[bool, Path | None, object] = (False, None, None)
        self._resume_after_suspend = False
        self._translating = False
        self._beat = Beat()
        self._early: list[Key] | None = []
        self._signals = Signals(self)

    def get_default_screen(self) -> MainScreen:
        self.main = MainScreen(self.desk)
        return self.main

    # -- begin and end ----------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        plain = self.console.color_system == "standard"
        wanted = self.settings.get("theme", "ansi-dark" if plain else self.theme)
        # NO_COLOR turns a terminal's own colours, which have no brightness, into black on black.
        if wanted in self.available_themes and not (self.no_color and wanted.startswith("ansi-")):
            self.theme = wanted
        self.theme_changed_signal.subscribe(self, self._remember_theme)
        self.app_resume_signal.subscribe(self, self._come_back)
        self._signals.install()
        self.call_after_refresh(lambda: self.run_worker(self._opened(), name="opened"))

    async def _opened(self) -> None:
        """After the first paint."""
        await self.main.fill()
        self.tick()
        self.set_interval(1.0 / min(10.0, max(0.2, self.settings.get("refresh_hz", 2.0))), self._look)
        if self._warm_up is not None:
            threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()
        if self._when_open is not None:
            self._when_open(self)
        self.call_later(self._catch_up)

    def leave(self, leave: Leave) -> None:
        """Close the screen. What becomes of a training is up to whoever opened the app; see ``leaving``."""
        self.exit(leave)

    def on_unmount(self) -> None:
        self._signals.remove()
        if self.desk.source is not None:
            self.desk.source.close()

    def hang_up(self) -> None:
        """The terminal is gone."""
        save = self.settings.get("hangup", "go on") == "save"
        self.leave(Leave("save" if save else "headless", hung_up=True))

    # -- twice a second ---------------------------------------------------------------------------------------

    async def on_event(self, event: Event) -> None:
        if isinstance(event, InputEvent):
            self.desk.pace.touch()
        if isinstance(event, Key) and event.key.startswith("alt+"):
            event.character = None  # or a field would type what Alt was held with, and no binding see it
        if isinstance(event, Key) and self._early is not None:
            self._early.append(event)
        else:
            await super().on_event(event)

    def _catch_up(self) -> None:
        """Carry out the keys that were pressed before all tabs were there, each in the tab it is meant for."""
        early, self._early = self._early or [], None
        for event in early:
            if event.key in TAB_KEYS:
                self.action_tab(TAB_KEYS[event.key])
            else:
                self.post_message(event)

    def _look(self) -> None:
        """Draw what is new, less often where nobody does more than look on."""
        if self._signals.terminal_is_gone():
            self.hang_up()
            return
        shown = self.desk.snapshot()
        calm = shown.active and self.desk.pace.quiet
        if self._beat.due((shown.run_path, shown.state), QUIET_SECONDS if calm else 0.0):
            self.tick()

    def tick(self) -> None:
        """One snapshot, shown by the top line and the open tab."""
        if not self.main.top_bar.is_attached or self._translating:  # being taken down, or its parts are made anew
            return
        shown = self.desk.snapshot()
        own = shown if self.desk.source is None else self.desk.session.snapshot()
        self.main.top_bar.show(own if own.active else shown)
        self.main.pane.tick(shown)
        self._tell_panes(own)

    def _tell_panes(self, own: Snapshot) -> None:
        """Beginnings and ends of the app's own training."""
        now = (self.desk.session.active, own.run_path, own.failure)
        before, self._seen = self._seen, now
        if now[0] and own.run_path is not None and (not before[0] or before[1] != now[1]):
            for pane in self.main.panes.values():
                pane.post_message(TrainingStarted(own.run_path))
        if before[0] and not now[0]:
            for pane in self.main.panes.values():
                if own.run_path is not None:
                    pane.post_message(TrainingEnded(own.run_path))
        if own.failure is not None and before[2] is not own.failure:
            log = own.run_path / "train.log" if own.run_path is not None else None
            self.push_screen(ErrorScreen(own.failure, log if log is not None and log.is_file() else None))

    # -- what panes ask for -----------------------------------------------------------------------------------

    def on_start_training(self, message: StartTraining) -> None:
        self.start_training(message.resume)

    def start_training(self, resume: Path | None = None, changes: Config | None = None) -> None:
        """Train with the desk's settings, or go on with a run, with ``changes`` to what may change in it."""
        desk = self.desk
        config, folder, name = desk.config, desk.runs_dir, desk.run_name

        def target() -> Run:
            from core.runs import Run, new_run

            return Run(resume) if resume is not None else new_run(folder, name, config.recipe)

        try:
            desk.session.start(changes if resume else config, target, resume=resume is not None)
        except UserError as error:
            self.notify(say(error), severity="warning", markup=False)
            return
        desk.run_name = None
        self.on_watch_run(WatchRun(None))
        self.action_tab("train")

    def on_watch_run(self, message: WatchRun) -> None:
        from .watch import WatchSource

        if self.desk.source is not None:
            self.desk.source.close()
        self.desk.source = None if message.run_path is None else WatchSource(message.run_path).start()
        if message.run_path is not None:
            self.action_tab("train")

    def on_open_in_chat(self, message: OpenInChat) -> None:
        self.action_tab("chat")
        self._pass_on(OpenInChat(message.run_path, message.checkpoint), "chat")

    def on_config_edited(self, message: ConfigEdited) -> None:
        """Nothing to do: the panes read the desk when they are shown."""
        message.stop()

    def _pass_on(self, message: Message, pane: str) -> None:
        message.stop()  # or it would bubble back here
        self.main.panes[pane].post_message(message)

    # -- actions of the table ---------------------------------------------------------------------------------

    async def perform(self, action: Action, pane: str) -> None:
        """Do an action chosen in the palette; ``pane``: the tab it belongs to, '' for the app's own."""
        if pane:
            self.action_tab(pane)
        done = await self.run_action(action.id, self.main.panes[pane] if pane else self)
        if not done:
            self.notify(_("not possible now: {what}").format(what=_(action.label)), severity="warning", markup=False)

    def on_tab_label_chosen(self, message: TabLabel.Chosen) -> None:
        self.action_tab(message.name)

    def action_tab(self, name: str) -> None:
        self.main.open_tab(name)

    def action_next_tab(self, by: int) -> None:
        names = [name for name, _class, _label in PANES]
        self.action_tab(names[(names.index(self.main.current) + by) % len(names)])

    def action_help(self) -> None:
        self.push_screen(HelpScreen(self.main.current))

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(placeholder=_("a part of an action's name"), id="--command-palette"))

    async def action_language(self) -> None:
        """The other language; every pane is composed anew."""
        language = "en" if i18n.language() == "zh" else "zh"
        i18n.set_language(language)
        self.settings.put("language", language)
        self._translating = True
        try:
            await self.main.retranslate()
        finally:
            self._translating = False
        self.tick()

    def action_next_theme(self) -> None:
        names = sorted(name for name in self.available_themes if not (self.no_color and name.startswith("ansi-")))
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self.notify(_("theme: {name}").format(name=self.theme), markup=False, timeout=2)

    def action_choose_theme(self) -> None:
        self.search_themes()

    def _remember_theme(self, theme: Theme) -> None:
        self.settings.put("theme", theme.name)

    def action_toggle_hangup(self) -> None:
        save = self.settings.get("hangup", "go on") != "save"
        self.settings.put("hangup", "save" if save else "go on")
        saved = _("when the connection drops, the training is saved and stopped")
        self.notify(saved if save else _("when the connection drops, the training goes on without the screen"),
                    markup=False)  # fmt: skip

    def action_screenshot(self, filename: str | None = None, path: str | None = None) -> None:
        name = filename or time.strftime("gpt-tui-%Y%m%d-%H%M%S.svg")
        try:
            saved = self.save_screenshot(name, path=path or ".")
        except OSError as problem:
            self.notify(system_error(problem), severity="error", markup=False)
            return
        self.notify(_("saved: {path}").format(path=saved), markup=False)

    def action_help_quit(self) -> None:
        """Ctrl+C with nothing selected."""
        self.notify(_("Ctrl+Q leaves the app; Ctrl+C copies selected text"), markup=False, timeout=3)

    async def action_quit(self) -> None:
        snapshot = self.desk.session.snapshot()
        if not self.desk.session.active:
            self.leave(Leave("quit"))
            return
        saved = snapshot.saved.step if snapshot.saved else None

        def chosen(choice: str | None) -> None:
            if choice and self.desk.session.active:
                self.leave(Leave(choice))
            elif choice:
                self.leave(Leave("quit"))

        self.push_screen(QuitScreen(snapshot.run or snapshot.recipe, snapshot.step, saved), chosen)

    # -- suspending -------------------------------------------------------------------------------------------

    def action_suspend(self) -> None:
        """Pause, then stop the process; asked a second time, stop at once."""
        session = self.desk.session
        waiting = self._resume_after_suspend
        if session.active and not session.control.paused and not waiting:
            session.pause()
            self._resume_after_suspend = True
            self.notify(_("pausing after this step, then back to the shell; Ctrl+Z again: at once"), markup=False)
            self._suspend_when_paused()
        elif not session.active or waiting or session.snapshot().state == "paused":
            self._suspend_now()

    def _suspend_when_paused(self) -> None:
        if not self._resume_after_suspend:
            return
        session = self.desk.session
        if session.snapshot().state == "paused" or not session.active:
            self._suspend_now()
        else:
            self.set_timer(0.05, self._suspend_when_paused)

    def _suspend_now(self) -> None:
        try:
            self.action_suspend_process()
        finally:
            self._come_back()

    def action_suspend_process(self) -> None:
        """Stop the process until the shell's ``fg``; where the driver cannot, nothing happens."""
        suspend = getattr(self._driver, "suspend_now", None)
        if suspend is not None:
            suspend()

    def _come_back(self, _app: object = None) -> None:
        if self._resume_after_suspend:
            self._resume_after_suspend = False
            self.desk.session.resume()
        self.refresh(layout=True)
