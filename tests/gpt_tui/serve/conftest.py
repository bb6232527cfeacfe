"""A real server on a free port, in a thread, with the run 'tiny' behind it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.runs import LoadedModel, load_run
from gpt_tui.loopback import listen, url_of
from gpt_tui.serve.api import make_app
from gpt_tui.serve.server import Server
from gpt_tui.serve.worker import Worker


@dataclass
class Served:
    """Where it listens, and what it told."""

    url: str
    worker: Worker
    told: list[str] = field(default_factory=list)


Serve = Callable[..., AbstractContextManager[Served]]


@contextlib.contextmanager
def serving(loaded: LoadedModel, **options: Any) -> Iterator[Served]:
    listening: socket.socket = listen("127.0.0.1", 0)
    worker = Worker(loaded)
    served = Served(url_of(listening), worker)
    server = Server(make_app(worker, "tiny", tell=served.told.append, **options), worker)
    thread = threading.Thread(target=server.serve_on, args=(listening,))
    thread.start()
    try:
        yield served
    finally:
        server.stop()
        thread.join(60)
        listening.close()
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def loaded(trained_once: tuple[Path, Any]) -> LoadedModel:
    return load_run("tiny", None, str(trained_once[0]))


@pytest.fixture
def serve(loaded: LoadedModel) -> Serve:
    """``with serve(key="…") as served:``"""
    return lambda **options: serving(loaded, **options)


@pytest.fixture(scope="session")
def served(loaded: LoadedModel) -> Iterator[Served]:
    """One server for all tests that leave it as it was."""
    with serving(loaded) as found:
        yield found
