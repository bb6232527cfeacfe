"""The app in a real browser. ``.ci/run`` installs Chromium where it can; elsewhere this is skipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from . import chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="needs Chromium (apt-get install chromium)"),
]
FRAME = "Network.webSocketFrameReceived"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[chromium.Chromium]:
    found = chromium.Chromium(tmp_path / "profile")
    yield found
    found.close()


def test_the_app_is_drawn_and_answers_a_key(web_started: tuple[Any, str, str], browser: chromium.Chromium) -> None:
    _process, url, token = web_started
    browser.call("Page.navigate", url=f"{url}/?token={token}")
    browser.wait_for(FRAME, b"Train")
    browser.until(lambda: len(browser.picture().getcolors(1 << 20) or ()) > 100)  # one line of text has fewer
    browser.until(lambda: browser.value("document.activeElement.tagName") == "TEXTAREA")
    before = browser.picture()

    def reacts() -> bool:
        browser.press("5")  # more than once: while the app still adds its tabs, it lets a key pass
        return differing(before, browser.picture()) > 0.1

    browser.until(reacts)
    browser.wait_for(FRAME, b"no losses recorded")
    assert browser.value("document.title") == "gpt-tui"

    requests = [event["params"]["request"] for event in browser.events if event["method"].endswith("requestWillBeSent")]
    asked = [request["url"] for request in requests]
    assert len(asked) >= 4
    assert [address for address in asked if not address.startswith((url, "data:"))] == []
    assert [event for event in browser.events if event["method"] == "Runtime.exceptionThrown"] == []
    entries = [event["params"]["entry"] for event in browser.events if event["method"] == "Log.entryAdded"]
    assert [entry for entry in entries if entry["level"] == "error"] == []


def differing(one: Image.Image, other: Image.Image) -> float:
    """The share of pixels that are not the same."""
    same: int = ImageChops.difference(one, other).convert("L").histogram()[0]
    return 1.0 - same / (one.width * one.height)
