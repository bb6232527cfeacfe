"""The list of all settings is what the schema says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from core.settings import settings

ROOT = Path(__file__).resolve().parents[2]


def tool() -> Any:
    spec = importlib.util.spec_from_file_location("settings_page", ROOT / "tools" / "settings_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date() -> None:
    module = tool()
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run: python tools/settings_page.py"


def test_every_setting_stands_there_once() -> None:
    text = tool().page()
    for key in settings():
        assert text.count(f"| `{key}`") == 1, key
