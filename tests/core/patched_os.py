"""Putting another function in the place of one of ``os``."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest


def patch_os(patch: pytest.MonkeyPatch, name: str, function: Callable[..., Any]) -> None:
    """``os.name`` is ``function``, for ``pathlib`` too, which in Python 3.10 has taken its own when it was loaded."""
    patch.setattr(os, name, function)
    accessor = getattr(pathlib, "_NormalAccessor", None)
    if accessor is not None and hasattr(accessor, name):
        patch.setattr(accessor, name, staticmethod(function))
