"""A headless Chromium steered through a pipe (its DevTools protocol): no driver, no port, no package."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECONDS = 60.0
"""For anything to happen: the machines that run tests are busy ones."""


class Chromium:
    """One page. ``events`` are those that came so far."""

    def __init__(self, folder: Path) -> None:
        assert PROGRAM is not None
        get, his_out = os.pipe()
        his_in, put = os.pipe()
        # The browser reads descriptor 3 and writes 4.
        script = f'exec "$@" 3<&{his_in} 4>&{his_out}'
        options = [
            "--headless", "--remote-debugging-pipe", f"--user-data-dir={folder}", "--window-size=1200,800",
            "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ]  # fmt: skip
        with open(folder.with_suffix(".log"), "wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", script, "bash", PROGRAM, *options, "about:blank"],
                pass_fds=(his_in, his_out), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        os.close(his_in)
        os.close(his_out)
        self._get, self._put, self._rest, self._number = get, put, b"", 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._session = None
        with contextlib.suppress(OSError, AssertionError):
            self.call("Browser.close")
        self._process.kill()
        self._process.wait()
        os.close(self._get)
        os.close(self._put)

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": values}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._put, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def wait_for(self, method: str, part: bytes) -> None:
        """Until an event of this kind has a payload with ``part`` in it, among those that came before too."""
        seen = 0
        while True:
            for event in self.events[seen:]:
                if event["method"] == method and part in _payload(event):
                    return
            seen = len(self.events)
            self._receive()

    def until(self, condition: Callable[[], bool]) -> None:
        """Asks again and again; each question is a round trip to the browser."""
        end = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < end, "it does not come to that"

    def value(self, expression: str) -> Any:
        """Of a JavaScript expression."""
        return self.call("Runtime.evaluate", expression=expression)["result"].get("value")

    def press(self, key: str) -> None:
        values = {"key": key, "text": key, "code": f"Digit{key}", "windowsVirtualKeyCode": ord(key)}
        self.call("Input.dispatchKeyEvent", type="keyDown", **values)
        self.call("Input.dispatchKeyEvent", type="keyUp", **values)

    def picture(self) -> Image.Image:
        """What is on the screen."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        return Image.open(BytesIO(base64.b64decode(data))).convert("RGB")

    def _receive(self) -> dict[str, Any]:
        end = time.monotonic() + SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self._get, selectors.EVENT_READ)
            while b"\0" not in self._rest:
                assert selector.select(max(0.0, end - time.monotonic())), "Chromium says nothing"
                piece = os.read(self._get, 1 << 20)
                assert piece, "Chromium has ended"
                self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message


def _payload(event: dict[str, Any]) -> bytes:
    """The bytes of a WebSocket frame; text frames are no base64 and of no interest here."""
    response = event["params"].get("response", {})
    return base64.b64decode(response["payloadData"]) if response.get("opcode") == 2 else b""
