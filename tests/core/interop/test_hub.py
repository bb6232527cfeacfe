"""GPT-2 by its size: from a hub of this test's own, asked by the real library, with connections that break."""

from __future__ import annotations

import hashlib
import http.server
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.errors import CheckpointError
from core.events import Event, Progress
from core.interop.hub import FILES, REPOSITORIES, fetch_gpt2

Drive = Callable[..., Any]
CONTENT = {"config.json": b"{}" * 40, "tokenizer.json": b"[]" * 99, "model.safetensors": bytes(range(256)) * 4000}


@dataclass
class Hub:
    """What the server answers with, and what it was asked."""

    url: str = ""
    sums: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    break_after: int | None = None
    """Bytes of a body after which the connection ends."""
    ranges: bool = True


def sum_of(name: str, content: bytes) -> str:
    """As the hub names it: git's for small files, SHA-256 for large ones."""
    if name.endswith(".json"):
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    state = Hub(sums={name: sum_of(name, content) for name, content in CONTENT.items()})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            name = self.path.rpartition("/")[2]
            begin = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-")
            start = int(begin) if state.ranges else 0
            if body:
                state.asked.append(f"{name} from {begin}")
            content = CONTENT[name][start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{state.sums[name]}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.end_headers()
            if body:
                self.wfile.write(content if state.break_after is None else content[: state.break_after])

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    template = f"{state.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("no_proxy", "*")
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_is_downloaded_once(tmp_path: Path, hub: Hub, drive: Drive) -> None:
    events: list[Event] = []
    folder = drive(fetch_gpt2("124M", tmp_path), events)
    assert {name: (folder / name).read_bytes() for name in FILES} == CONTENT
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    shares = [event.done / event.total for event in events if isinstance(event, Progress)]
    assert len(shares) > 3 and shares[-1] == 1.0
    hub.asked.clear()
    assert drive(fetch_gpt2("124M", tmp_path)) == folder
    assert hub.asked == []


def test_a_broken_connection_is_gone_on_from(tmp_path: Path, hub: Hub, drive: Drive) -> None:
    hub.break_after = 300_000
    for done in (300_000, 600_000, 900_000):
        with pytest.raises(CheckpointError, match=rf"the connection broke after {done} of 1024000 bytes; repeat"):
            drive(fetch_gpt2("124M", tmp_path))
    folder = drive(fetch_gpt2("124M", tmp_path))
    assert (folder / "model.safetensors").read_bytes() == CONTENT["model.safetensors"]
    assert hub.asked == ["config.json from 0", "tokenizer.json from 0"] + [
        f"model.safetensors from {begin}" for begin in (0, 300_000, 600_000, 900_000)
    ]


def test_a_server_that_cannot_go_on_sends_all_of_it(tmp_path: Path, hub: Hub, drive: Drive) -> None:
    hub.break_after = 700_000
    with pytest.raises(CheckpointError, match="the connection broke"):
        drive(fetch_gpt2("355M", tmp_path))
    hub.break_after, hub.ranges = None, False
    folder = drive(fetch_gpt2("355M", tmp_path))
    assert (folder / "model.safetensors").read_bytes() == CONTENT["model.safetensors"]


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_what_the_hub_says_is_not_kept(tmp_path: Path, hub: Hub, drive: Drive, name: str) -> None:
    hub.sums[name] = hub.sums[name][::-1]
    with pytest.raises(CheckpointError, match=f"{name}: what came from there does not match its checksum"):
        drive(fetch_gpt2("124M", tmp_path))
    assert not [path for path in tmp_path.rglob("*") if name in path.name]


def test_a_hub_that_names_no_checksum(tmp_path: Path, hub: Hub, drive: Drive) -> None:
    hub.sums["config.json"] = "abc"
    with pytest.raises(CheckpointError, match=r"\(the hub names neither size nor checksum\)"):
        drive(fetch_gpt2("124M", tmp_path))


@pytest.mark.parametrize("size", REPOSITORIES)
def test_without_a_network_it_says_what_to_bring_and_where(
    tmp_path: Path, drive: Drive, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    template = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"  # nobody listens at the discard port
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(CheckpointError) as caught:
        drive(fetch_gpt2(size, tmp_path / ".models"))
    message = str(caught.value)
    folder = tmp_path / ".models" / f"gpt2-{size}"
    for part in (
        "config.json, tokenizer.json, model.safetensors",
        f"huggingface.co/{REPOSITORIES[size]}/",
        str(folder),
    ):
        assert part in message
    assert "\n" not in message
    assert not folder.parent.exists()

    folder.mkdir(parents=True)  # as it says: brought by hand, and no network is asked for
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    assert drive(fetch_gpt2(size, tmp_path / ".models")) == folder


def test_without_the_library_it_says_how_to_get_it(
    tmp_path: Path, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(CheckpointError, match=r"\(huggingface_hub is missing: pip install 'gpt-tui\[hub\]'\)"):
        drive(fetch_gpt2("124M", tmp_path))
