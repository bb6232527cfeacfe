"""A training's state as a sign and a word: never by colour alone."""

from __future__ import annotations

from ..console import STOPPED
from ..history import Snapshot
from ..i18n import _

MARKS = {
    "idle": "○", "starting": "◌", "running": "▶", "paused": "‖", "evaluating": "?", "saving": "↓",
    "verifying": "?", "done": "■", "failed": "✗",
}  # fmt: skip


def state_mark(snapshot: Snapshot) -> str:
    return MARKS.get(snapshot.state, "·")


def state_word(snapshot: Snapshot) -> str:
    """One or two words, in the chosen language."""
    if snapshot.stopping and snapshot.active:
        return _("stopping")
    if snapshot.pausing and snapshot.active:
        return _("pausing")
    if snapshot.state == "done" and snapshot.finished is not None and snapshot.finished.reason in STOPPED:
        return _("stopped")
    return {
        "idle": _("idle"),
        "starting": _("starting"),
        "running": _("running"),
        "paused": _("paused"),
        "evaluating": _("evaluating"),
        "saving": _("saving"),
        "verifying": _("verifying"),
        "done": _("done"),
        "failed": _("failed"),
    }.get(snapshot.state, snapshot.state)
