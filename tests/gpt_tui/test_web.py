"""``gpt-tui web``: the real command, an app behind it, and those that must not get in."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import yaml

from core.config import load_config
from gpt_tui import loopback
from gpt_tui.commands import web
from gpt_tui.web.guard import Guard
from gpt_tui.web.server import AppServer, _serve


async def read_until(socket: aiohttp.ClientWebSocketResponse, part: str) -> str:
    """What the app draws, up to a text that has to come."""
    drawn = b""
    while part.encode() not in drawn:
        message = await socket.receive(timeout=120)
        assert message.type == aiohttp.WSMsgType.BINARY, (message, drawn)
        drawn += message.data
    return drawn.decode("utf-8", "replace")


async def visit(url: str, token: str) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(f"{url}/?token={token}") as page:
            text = await page.text()
            assert page.status == 200
        found = re.search('data-session-websocket-url="([^"]+)"', text)
        assert found is not None
        # The cookie that came with the page opens the rest.
        for name in re.findall('(?:src|href|url)[=(]"(/[^"]+)"', text):
            async with session.get(url + name) as part:
                assert part.status == 200, name
        async with session.ws_connect(f"{found[1]}?width=100&height=30") as socket:
            await read_until(socket, "Train")
            await socket.send_json(["resize", {"width": 100, "height": 30}])
            await socket.send_json(["stdin", "?"])
            await read_until(socket, "Help")


def test_a_page_shows_the_app_and_takes_keys(web_started: tuple[Any, str, str]) -> None:
    process, url, token = web_started
    asyncio.run(visit(url, token))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_nobody_else_gets_in(web_started: tuple[Any, str, str]) -> None:
    process, url, token = web_started
    port = url.rpartition(":")[2]
    cookie = {"Cookie": f"gpt_tui_{port}={token}"}
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}  # fmt: skip

    def get(path: str, **headers: str) -> int:
        return httpx.get(url + path, headers=headers).status_code

    assert get("/") == get("/ws") == get("/static/js/textual.js") == get("/download/x") == 403
    assert get("/?token=") == get(f"/?token={token[:-1]}") == get(f"/?token={token}x") == get("/?token=%ff水") == 403
    assert get("/", **{**cookie, "Cookie": cookie["Cookie"] + "x"}) == 403
    assert get("/", **cookie) == 200
    assert get("/", **cookie, Host=f"evil.example:{port}") == 421
    assert get("/ws", **cookie, **upgrade, Origin="http://evil.example") == 403
    assert get("/ws", **cookie, **upgrade, Origin=f"http://localhost:{int(port) - 1}") == 403
    assert get("/nothing", **cookie) == 404
    assert get("/static/../server.py", **cookie) == 404
    page = httpx.get(f"{url}/?token={token}&fontsize=99999999")
    assert 'data-font-size="48"' in page.text
    assert not re.findall("https?://", page.text)  # nothing from elsewhere
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "HttpOnly" in page.headers["set-cookie"]
    assert "SameSite=Strict" in page.headers["set-cookie"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143


async def train_and_leave(url: str, token: str, runs: Path) -> None:
    """Start a training in a page and close the page as soon as a step has been recorded."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(f"{url}/?token={token}"):
            pass
        async with session.ws_connect(f"{url}/ws?width=100&height=30") as socket:
            await read_until(socket, "Train")
            await socket.send_json(["stdin", "s"])
            while not any(b'"step"' in path.read_bytes() for path in runs.glob("*/metrics.jsonl")):
                await socket.receive(timeout=120)


@pytest.mark.slow
def test_a_training_goes_on_when_its_page_is_closed(
    web_started: tuple[Any, str, str], tmp_path: Path, helpers: Any
) -> None:
    """As the page that is left says."""
    process, url, token = web_started
    work = tmp_path / "work"
    rows = helpers.write_rows(work / "rows.jsonl", helpers.pairs)
    settings = [option.removeprefix("--set=") for option in helpers.tiny]
    settings += [f"data.train={rows}", f"data.valid={rows}", "training.max_steps=2000"]
    (work / "config.yaml").write_text(yaml.safe_dump(load_config("teacher", overrides=settings).to_dict()), "utf-8")
    asyncio.run(train_and_leave(url, token, tmp_path / "runs"))
    (run,) = (tmp_path / "runs").glob("teacher-*")
    assert not (run / "report.json").exists(), "it was still training"
    for _look in range(1200):  # counted: a loaded machine may stand still
        if (run / "report.json").is_file():
            break
        time.sleep(0.1)
    assert json.loads((run / "report.json").read_text("utf-8"))["steps"] == 2000
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143


#: An app that has nothing more to write, and ends a while later.
SLOW_TO_END = """
import os, time
print("__GANGLION__", flush=True)
os.close(1)
os.close(2)
time.sleep(0.7)
"""


def test_an_app_that_takes_its_time_to_end_is_waited_for() -> None:
    """Otherwise asyncio would complain of it on the error stream, when its loop is gone."""

    async def serve_and_visit(listening: socket.socket, server: AppServer, port: int) -> int:
        serving = asyncio.create_task(_serve(listening, server))
        address = f"http://127.0.0.1:{port}/ws?token={server._guard.token}"
        async with aiohttp.ClientSession() as session, session.ws_connect(address):
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGTERM)
        return await serving

    with loopback.listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        server = AppServer([sys.executable, "-c", SLOW_TO_END], Guard(port, local=True))
        assert asyncio.run(serve_and_visit(listening, server, port)) == 143
    assert [app._process.returncode for app in server._apps if app._process] == [0]


def test_options_reach_the_app(gpt_tui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr("gpt_tui.web.server.serve_on", lambda listening, server: commands.append(server.command) or 0)
    done = gpt_tui("--lang", "zh", "web", "--port", "0", "--runs-dir", "it's runs")
    assert done.code == 0
    assert "令牌" not in done.err
    assert commands[0].endswith(""" -m gpt_tui --lang zh --runs-dir 'it'"'"'s runs'""")
    done = gpt_tui("web", "--port", "0", "--host", "0.0.0.0")
    assert "travels unencrypted" in done.err
    assert "--runs-dir" not in commands[1]


def test_what_would_be_an_empty_page_is_said_before(gpt_tui: Any) -> None:
    Path("config.yaml").write_text("training: {lr: 7}\n", encoding="utf-8")
    done = gpt_tui("web", "--port", "0")
    assert (done.code, done.out) == (1, "")
    assert "training.lr" in done.err


def test_without_the_extra(gpt_tui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "find_spec", lambda name: None)
    done = gpt_tui("web")
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith("needs packages that are not installed; to have them: pip install textual-serve\n")
    assert web.app_command  # the module itself needs none of them
