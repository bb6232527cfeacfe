"""uvicorn with this program's manners: a port that is ready before the model, no log of its own, an end at once."""

from __future__ import annotations

import socket
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from .worker import Worker

MAX_CONNECTIONS = 64


class Server(uvicorn.Server):
    """Serves an application on a listening socket until a signal, or ``stop``, ends it."""

    def __init__(self, app: ASGIApp, worker: Worker) -> None:
        super().__init__(
            uvicorn.Config(
                app, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None, log_level="critical",
                access_log=False, server_header=False, limit_concurrency=MAX_CONNECTIONS, timeout_graceful_shutdown=3,
                proxy_headers=False,
            )
        )  # fmt: skip
        self._worker = worker

    def serve_on(self, listening: socket.socket) -> None:
        """Returns when it has ended. SIGINT and SIGTERM then take the effect that they have without a server."""
        try:
            self.run(sockets=[listening])
        finally:
            self._worker.close()

    def stop(self) -> None:
        """Answers under way end at their next token. May be called from any thread."""
        self._worker.cancel_all()
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._worker.cancel_all()
        super().handle_exit(sig, frame)
