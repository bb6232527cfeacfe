"""Modules that can be called like the function they are named after.

``from core import train`` gives the module once anyone has imported ``core.train``: Python puts submodules among a
package's names. So that ``train(config)`` works either way, the module passes the call on.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class CallableModule(ModuleType):
    """A module whose call is the call of its function of the same name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return vars(self)[self.__name__.rpartition(".")[2]](*args, **kwargs)


def make_callable(name: str) -> None:
    """To be called at the end of a module with its ``__name__``."""
    sys.modules[name].__class__ = CallableModule
