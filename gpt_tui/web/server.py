"""textual-serve with a page of our own, which loads nothing from elsewhere, and a guard before it.

textual-serve starts the app as a process for each page and passes its screen on through a WebSocket.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import logging
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from string import Template

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

from ..i18n import _, language
from .guard import Guard

HERE = Path(__file__).parent
MAX_PAGES = 8
"""Apps running at once: each takes some 300 MB as soon as it has loaded torch."""
STOP_SECONDS = 10.0
"""For apps to save what they train when the server ends."""
FONT_SIZES = range(6, 49)


class AppServer(Server):
    """Serves ``command``, a list of arguments, to whoever passes ``guard``."""

    def __init__(self, command: Sequence[str], guard: Guard) -> None:
        line = subprocess.list2cmdline(command) if sys.platform == "win32" else shlex.join(command)
        super().__init__(line, title="gpt-tui")
        self._guard = guard
        self._pages = 0
        self._apps: set[AppService] = set()

    async def make_app(self) -> web.Application:
        app = await self._make_app()
        app.router.add_get("/page.js", self.handle_script)
        app.middlewares.append(self._guard.middleware())
        return app

    async def on_startup(self, app: web.Application) -> None:
        """textual-serve prints its logo here."""

    async def handle_index(self, request: web.Request) -> web.Response:
        page = Template((HERE / "page.html").read_text(encoding="utf-8"))
        size = to_int(request.query.get("fontsize", ""), 16)
        text = page.substitute(
            lang="zh-CN" if language() == "zh" else "en",
            socket=html.escape(f"{'wss' if request.secure else 'ws'}://{request.host}/ws"),
            font_size=min(max(size, FONT_SIZES[0]), FONT_SIZES[-1]),
            starting=html.escape(_("opening the app")),
            ended=html.escape(_("The app has been closed; a training goes on.")),
            again=html.escape(_("Open it again")),
        )
        return web.Response(text=text, content_type="text/html")

    async def handle_script(self, request: web.Request) -> web.FileResponse:
        del request
        return web.FileResponse(HERE / "page.js")

    async def handle_websocket(self, request: web.Request) -> web.StreamResponse:  # type: ignore[override]
        if self._pages >= MAX_PAGES:
            raise web.HTTPServiceUnavailable(text=f"{MAX_PAGES} pages are open already\n")
        self._pages += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._pages -= 1

    async def _process_messages(self, websocket: web.WebSocketResponse, app_service: AppService) -> None:
        self._apps = {app for app in self._apps if app._process and app._process.returncode is None} | {app_service}
        await super()._process_messages(websocket, app_service)

    async def apps_ended(self) -> None:
        """Wait for the processes: textual-serve only waits until they write nothing more, and asyncio complains on the
        error stream about one that ends after its loop."""
        for app in self._apps:
            process = app._process
            if process is not None:
                await process.wait()
        await asyncio.sleep(0.1)  # for asyncio to close their pipes


def serve_on(listening: socket.socket, server: AppServer) -> int:
    """Serve until SIGINT or SIGTERM; returns that signal's exit code, 130 or 143."""
    logging.getLogger("textual-serve").setLevel(logging.CRITICAL)
    return asyncio.run(_serve(listening, server))


async def _serve(listening: socket.socket, server: AppServer) -> int:
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(number: int) -> None:
        if stopped.done():  # once more: at once
            os._exit(128 + number)
        stopped.set_result(128 + number)

    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
    runner = web.AppRunner(await server.make_app(), access_log=None, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        return await stopped
    finally:
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):  # an app that does not end is left to itself
            await asyncio.wait_for(runner.cleanup(), STOP_SECONDS + 5.0)
            await asyncio.wait_for(server.apps_ended(), STOP_SECONDS)
