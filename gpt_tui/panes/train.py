"""The Train tab: start a training, watch it learn, steer it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from core.machine import resident_memory
from core.text import printable, shorten

from ..actions import Action, key_bindings
from ..console import STOPPED
from ..curves import Series
from ..elsewhere import trained_elsewhere
from ..history import Snapshot
from ..i18n import _
from ..messages import StartTraining, WatchRun
from ..pace import Beat
from ..widgets.answers import Answers
from ..widgets.figures import figures, progress_line, state_line
from ..widgets.folded_log import FoldedLog
from ..widgets.plot import Plot
from .base import Pane

if TYPE_CHECKING:
    from ..desk import Desk

ACTIONS: tuple[Action, ...] = (
    Action("start", "s", "Start", "Train a new run with the settings of the Config tab."),
    Action("pause", "p", "Pause", "Pause after the step that is being computed; the time stands still."),
    Action("resume", "r", "Resume", "Go on after a pause, or with a run that was stopped."),
    Action("stop", "x", "Stop", "End after the step that is being computed, and save a checkpoint."),
    Action("save", "w", "Save now", "Write a checkpoint without stopping."),
    Action("maximize", "m", "Maximize", "Give the whole tab to the chosen plot, the answers or the log; and back."),
    Action("smoothing", "e", "Smoothing", "Average the curves less or more (EMA 0, 0.6, 0.9, 0.97).", footer=False),
    Action("log_y", "l", "Log axis", "Logarithmic values for the chosen plot.", footer=False),
    Action("recent", "f", "Full/recent", "Show all steps, or only the newest fifth.", footer=False),
    Action("zoom_in", "plus,equals_sign", "Zoom in", "Show fewer steps, around the cursor.", footer=False),
    Action("zoom_out", "minus", "Zoom out", "Show more steps.", footer=False),
    Action("cursor(-1)", "left", "Cursor left", "Read out the values to the left (in brackets: averaged).",
           footer=False),
    Action("cursor(1)", "right", "Cursor right", "Read out the values to the right.", footer=False),
    Action("cursor(-10)", "shift+left", "Far left", "Ten columns to the left.", footer=False),
    Action("cursor(10)", "shift+right", "Far right", "Ten columns to the right.", footer=False),
    Action("next_plot", "n", "Next plot", "Choose the plot that the keys are meant for.", footer=False),
    Action("clear", "escape", "Whole view", "Take back cursor, zoom and maximizing.", footer=False),
    Action("watch", "v", "Watch", "Show the run that another process is training.", footer=False),
    Action("unwatch", "u", "Stop watching", "Show this app's own training again.", footer=False),
)  # fmt: skip

TICKS_BETWEEN_LOOKS = 6  # for runs that others train; of half a second each
SMOOTHINGS = (0.0, 0.6, 0.9, 0.97)
DRAWING_SHARE = 0.01  # of one core, for plots during a training; one drawing takes about 20 ms at 120×40
LIVELY_SECONDS, QUIET_SECONDS = 0.9, 2.9  # from one drawing of the plots to the next, at least


class TrainPane(Pane):
    """Draws what the snapshot says; knows nothing of threads."""

    BINDINGS: ClassVar[list[BindingType]] = key_bindings(ACTIONS)

    @dataclass
    class Elsewhere(Message):
        """Somebody has looked which run another process trains."""

        run: Path | None

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._snapshot = Snapshot()
        self._possible: tuple[bool, ...] = ()
        self._max: Widget | None = None
        self._plots: list[Plot] = []
        self._plots_beat = Beat()
        self._elsewhere: Path | None = None
        self._ticks = 0
        remembered = desk.settings.get("plot.smoothing", 0.6) if desk.settings else 0.6
        self._smoothing = remembered if remembered in SMOOTHINGS else 0.6

    def compose(self) -> ComposeResult:
        yield Static(id="train-state")
        yield Static(id="train-progress")
        yield Static(id="train-figures")
        with Horizontal(id="train-plots"):
            yield Plot(_("loss"), empty=_("the loss appears here once a training runs"), id="plot-loss")
            with Vertical(id="train-side"):
                yield Plot(_("learning rate"), id="plot-lr")
                yield Plot(_("tokens/s"), id="plot-rate")
        yield Answers(id="train-answers")
        yield FoldedLog(id="train-log")

    def on_mount(self) -> None:
        self._set_up()

    async def retranslate(self) -> None:
        await super().retranslate()
        self._set_up()

    def _set_up(self) -> None:
        self._plots = list(self.query(Plot))
        for plot in self._plots:
            plot.smoothing = self._smoothing
        self._max = None
        self._plots_beat.forget()
        self._chosen = self.query_one("#plot-loss", Plot)
        self._chosen.add_class("-chosen")
        self.query_one(FoldedLog).border_title = Content.styled(_("log"), "bold")
        self.tick(self.desk.snapshot())

    def shown(self) -> None:
        super().shown()
        self.tick(self.desk.snapshot())

    def on_resize(self) -> None:
        self._show_text(self._snapshot)

    # -- showing ----------------------------------------------------------------------------------------------

    def tick(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        if not self._composed:
            return
        if snapshot.can_start and self._ticks % TICKS_BETWEEN_LOOKS == 0:
            self.run_worker(self._look_elsewhere, thread=True, group="elsewhere", exit_on_error=False)
        self._ticks += 1
        self._show_text(snapshot)
        self.query_one(Answers).show(snapshot.probes, snapshot.samples, full=isinstance(self._max, Answers))
        if self._is_due(snapshot):
            self._show_plots(snapshot)
            self._show_log(snapshot)
        possible = (self._can_start(), snapshot.can_pause, self._can_resume(), snapshot.can_stop, snapshot.can_save)
        if possible != self._possible:
            self._possible = possible
            self.refresh_bindings()

    @property
    def _composed(self) -> bool:
        """False for the moment in which another language composes the parts anew; the log is the last of them."""
        return bool(self.children) and self.children[-1].id == "train-log"

    def _show_text(self, snapshot: Snapshot) -> None:
        width = self.size.width - 2
        if width < 10 or not self._composed:
            return
        memory = resident_memory() if snapshot.live else None
        self._update("#train-state", state_line(snapshot, self.desk.config.recipe, width))
        progress = progress_line(snapshot, width)
        if snapshot.can_start and self._elsewhere is not None:
            text = _("{run} is being trained outside this app; v shows it").format(run=printable(self._elsewhere.name))
            progress = Content(shorten(text, width))
        self._update("#train-progress", progress)
        self._update("#train-figures", figures(snapshot, memory, width))

    def _look_elsewhere(self) -> None:
        self.post_message(self.Elsewhere(trained_elsewhere(self.desk.runs_dir)))

    def on_train_pane_elsewhere(self, message: Elsewhere) -> None:
        message.stop()
        self._elsewhere = message.run
        self._show_text(self._snapshot)

    def _update(self, selector: str, content: object) -> None:
        """Repaint only what reads differently."""
        static = self.query_one(selector, Static)
        if getattr(static, "_text_now", None) != content:
            static._text_now = content  # type: ignore[attr-defined]
            static.update(content, layout=False)  # type: ignore[arg-type]

    def _is_due(self, snapshot: Snapshot) -> bool:
        """Whether plots and log are to be brought up to date: they cost time that the training could use.

        A change of state is shown at once, new points once a second, or every three where somebody only looks on;
        less often where drawing is slow.
        """
        if not snapshot.active:
            return True
        least = QUIET_SECONDS if self.desk.pace.quiet else LIVELY_SECONDS
        cost = sum(plot.cost for plot in self._plots)
        return self._plots_beat.due((snapshot.run_path, snapshot.state), max(least, cost / DRAWING_SHARE))

    def _show_plots(self, snapshot: Snapshot) -> None:
        version = (snapshot.run_path, len(snapshot.steps), snapshot.steps[-1:], snapshot.evals[-1:])
        steps = snapshot.steps
        self.query_one("#plot-loss", Plot).show(
            [
                Series(_("train"), [(s.step, s.loss) for s in steps], "$success", smooth=True),
                Series(_("eval"), [(e.step, e.loss) for e in snapshot.evals], "$warning", "o"),
            ],
            version,
        )
        self.query_one("#plot-lr", Plot).show(
            [Series(_("learning rate"), [(s.step, s.lr) for s in steps], "$accent")], version
        )
        self.query_one("#plot-rate", Plot).show(
            [Series(_("tokens/s"), [(s.step, s.tokens_per_second) for s in steps], "$primary", smooth=True)], version
        )

    def _show_log(self, snapshot: Snapshot) -> None:
        of = (snapshot.live, None if snapshot.live else snapshot.run_path)
        lines = [line.text for line in snapshot.log]
        self.query_one(FoldedLog).show(of, lines, snapshot.log_count)

    # -- steering ---------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """None greys an action: it is not possible now."""
        snapshot = self._snapshot
        possible = {
            "start": self._can_start(),
            "pause": snapshot.can_pause,
            "resume": self._can_resume(),
            "stop": snapshot.can_stop,
            "save": snapshot.can_save,
            "watch": snapshot.can_start and self._elsewhere is not None,
            "unwatch": not snapshot.live,
        }.get(action, True)
        return True if possible else None

    def _can_start(self) -> bool:
        """Also while a run is looked at that has come to its end."""
        snapshot = self._snapshot
        return snapshot.can_start or (snapshot.state in ("done", "failed") and not self.desk.session.active)

    def _can_resume(self) -> bool:
        return self._snapshot.can_resume or self._was_stopped()

    def _was_stopped(self) -> bool:
        """Whether the newest run can be gone on with: someone stopped it, or it failed behind a checkpoint."""
        snapshot = self._snapshot
        if not self._can_start() or snapshot.saved is None:
            return False
        ended = snapshot.finished
        return snapshot.failure is not None or (ended is not None and ended.reason in STOPPED)

    def action_start(self) -> None:
        self.post_message(StartTraining())

    def action_pause(self) -> None:
        self.desk.session.pause()

    def action_resume(self) -> None:
        if self._was_stopped():
            self.post_message(StartTraining(resume=self._snapshot.run_path))
        else:
            self.desk.session.resume()

    def action_stop(self) -> None:
        self.desk.session.stop()

    def action_save(self) -> None:
        self.desk.session.save_now()

    def action_watch(self) -> None:
        self.post_message(WatchRun(self._elsewhere))

    def action_unwatch(self) -> None:
        self.post_message(WatchRun(None))

    # -- looking ----------------------------------------------------------------------------------------------

    def on_descendant_focus(self) -> None:
        focused = self.screen.focused
        if isinstance(focused, Plot):
            self._choose(focused)

    def on_plot_picked(self, message: Plot.Picked) -> None:
        message.stop()
        self._choose(message.plot)

    def _choose(self, plot: Plot) -> None:
        self._chosen.remove_class("-chosen")
        self._chosen = plot
        plot.add_class("-chosen")

    def action_next_plot(self) -> None:
        plots = list(self.query(Plot))
        following = plots[(plots.index(self._chosen) + 1) % len(plots)]
        self._choose(following)
        following.focus()
        if isinstance(self._max, Plot):
            self._maximize(following)

    def action_smoothing(self) -> None:
        self._smoothing = SMOOTHINGS[(SMOOTHINGS.index(self._smoothing) + 1) % len(SMOOTHINGS)]
        if self.desk.settings is not None:
            self.desk.settings.put("plot.smoothing", self._smoothing)
        for plot in self.query(Plot):
            plot.set_view(smoothing=self._smoothing)

    def action_log_y(self) -> None:
        self._chosen.set_view(log_y=not self._chosen.log_y)

    def action_recent(self) -> None:
        recent = not self._chosen.recent
        for plot in self.query(Plot):
            plot.set_view(recent=recent, zoom=None)

    def action_zoom_in(self) -> None:
        self._chosen.zoom_by(0.5)

    def action_zoom_out(self) -> None:
        self._chosen.zoom_by(2.0)

    def action_cursor(self, cells: int) -> None:
        self._chosen.move_cursor(cells)

    def action_maximize(self) -> None:
        if self._max is not None:
            self._maximize(None)
            return
        focused = self.screen.focused
        self._maximize(focused if isinstance(focused, (Plot, Answers, FoldedLog)) else self._chosen)

    def _maximize(self, widget: Widget | None) -> None:
        for old in self.query(".-max"):
            old.remove_class("-max")
        self._max = widget
        self.set_class(widget is not None, "-maximized")
        if widget is not None:
            widget.focus()
            widget.add_class("-max")
            for holder in widget.ancestors:
                if holder is self:
                    break
                holder.add_class("-max")
        shown = self._snapshot
        self.query_one(Answers).show(shown.probes, shown.samples, full=isinstance(widget, Answers))

    def action_clear(self) -> None:
        """One after the other: the cursor, the zoom, the maximized widget."""
        if self._chosen.cursor is not None:
            self._chosen.set_view(cursor=None)
        elif self._chosen.zoom is not None:
            self._chosen.set_view(zoom=None)
        elif self._max is not None:
            self._maximize(None)
        else:
            self.focus()
