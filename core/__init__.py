"""The engine of gpt-tui: everything that learns, nothing that draws.

The public names are loaded on first use, so that ``import core`` costs nothing and a program that only
wants to print its help never waits for torch. ``train`` and ``generate`` are not among them: these names are
those of their modules, so it is ``from core.train import train``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import Config as Config
    from .control import Control as Control
    from .errors import UserError as UserError
    from .runs import Run as Run
    from .runs import load_run as load_run

#: Another installed package may also be called ``core``; ``gpt_tui`` looks for this mark and says so.
BELONGS_TO = "gpt-tui"

_HOMES = {
    "Config": ".config",
    "Control": ".control",
    "UserError": ".errors",
    "Run": ".runs",
    "load_run": ".runs",
}
__all__ = ["BELONGS_TO", "Config", "Control", "Run", "UserError", "load_run"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'core' has no attribute {name!r}")
    return getattr(import_module(home, __name__), name)
