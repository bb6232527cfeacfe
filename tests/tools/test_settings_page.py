"""The list of all settings is what the schema says."""

from __future__ import annotations

from core.settings import settings

from .loaded import tool_named

tool = tool_named("settings_page")


def test_the_page_is_up_to_date() -> None:
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page(), "run: python tools/settings_page.py"


def test_every_setting_stands_there_once() -> None:
    text = tool.page()
    for key in settings():
        assert text.count(f"| `{key}`") == 1, key
