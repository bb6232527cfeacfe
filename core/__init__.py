"""The engine of gpt-tui: everything that learns, nothing that draws.

The public names are loaded on first use, so that ``import core`` costs nothing and a program that only
wants to print its help never waits for torch. ``train`` and ``generate`` are names of modules too, which can be
called like their functions (``core.callable_module``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import Config as Config
    from .config import load_config as load_config
    from .control import Control as Control
    from .errors import UserError as UserError
    from .fit import fit as fit
    from .generate import Answer as Answer
    from .generate import answer as answer
    from .generate import generate as generate
    from .runs import Run as Run
    from .runs import load_run as load_run
    from .train import train as train

#: Another installed package may also be called ``core``; ``gpt_tui`` looks for this mark and says so.
BELONGS_TO = "gpt-tui"

_HOMES = {
    "Config": ".config",
    "Control": ".control",
    "Run": ".runs",
    "UserError": ".errors",
    "Answer": ".generate",
    "answer": ".generate",
    "fit": ".fit",
    "generate": ".generate",
    "load_config": ".config",
    "load_run": ".runs",
    "train": ".train",
}
__all__ = [
    "BELONGS_TO",
    "Answer",
    "Config",
    "Control",
    "Run",
    "UserError",
    "answer",
    "fit",
    "generate",
    "load_config",
    "load_run",
    "train",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'core' has no attribute {name!r}")
    return getattr(import_module(home, __name__), name)
