"""``gpt-tui serve`` as people start and end it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt_tui import loopback
from gpt_tui.commands import serve
from gpt_tui.commands.serve import model_name

from ..torch_team import TEAM, compute, counts_teams, more_than, threads_before

QUESTION = "天空是什么颜色？"


@pytest.fixture
def started(
    helpers: Any, trained: Path, shell: Callable[..., subprocess.Popen[bytes]]
) -> Callable[..., tuple[Any, str]]:
    """Starts ``gpt-tui serve`` on a free port: the process and its address."""

    def start(*options: str) -> tuple[subprocess.Popen[bytes], str]:
        process = shell("--lang", "en", "serve", "tiny", "--port", "0", *options)
        pattern = r"step 120: (http://[\d.]+:\d+)/v1 \(model name: tiny\); Ctrl\+C ends"
        match = helpers.first_line(process, pattern)
        return process, match[1]

    return start


def test_it_answers_until_ctrl_c(started: Callable[..., tuple[Any, str]]) -> None:
    process, url = started()
    body = json.dumps({"messages": [{"role": "user", "content": QUESTION}]}).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/chat/completions", body, headers), timeout=60) as got:
        assert json.load(got)["choices"][0]["message"]["content"] == "蓝色"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    assert re.fullmatch(rb"POST /v1/chat/completions 200 \d+\+\d+ tokens [\d.]+ s\n", err)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--host", "0.0.0.0"), "--host 0.0.0.0: others could reach the model there; set an API key"),
        (("--host", "::"), "set an API key"),
        (("--api-key", "short"), "at least 8"),
        (("--api-key", "with blanks in it"), "at least 8"),
        (("--port", "65536"), "--port 65536: allowed are 0 to 65535"),
        (("--host", "no such host", "--api-key", "long-enough"), "no such address"),
        (("nothing",), "no run 'nothing'"),
        (("--allow-origin", "chat.example"), "--allow-origin 'chat.example': expected an origin such as https://"),
        (("--allow-origin", "https://chat.example/page"), "expected an origin"),
        (("--allow-origin", ""), "expected an origin"),
    ],
)
def test_one_line_says_why_it_does_not_start(gpt_tui: Any, trained: Path, options: tuple[str, ...], part: str) -> None:
    done = gpt_tui("serve", *options)
    assert (done.code, done.out) == (1, "")
    assert part in done.err
    assert done.err.count("\n") == 1


def test_a_port_that_is_taken(gpt_tui: Any, trained: Path) -> None:
    with loopback.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        done = gpt_tui("serve", "--port", port)
    assert done.code == 1
    assert done.err.startswith(f"gpt-tui: port {port} on 127.0.0.1 cannot be used: Address already in use; choose")


@counts_teams
def test_the_thread_that_loads_leaves_the_cores_to_the_one_that_answers(
    gpt_tui: Any, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer of 21 tokens took 100 instead of 28 ms."""
    before, found = threads_before(), list[int]()
    load = serve.load_model

    def load_and_compute(*arguments: Any) -> Any:
        torch.set_num_threads(TEAM)
        compute()
        return load(*arguments)

    count = torch.get_num_threads()
    monkeypatch.setattr(serve, "load_model", load_and_compute)
    monkeypatch.setattr("gpt_tui.serve.server.Server.serve_on", lambda *_: found.append(more_than(before, 0)))
    try:
        assert gpt_tui("serve", "--port", "0").code == 0
    finally:
        torch.set_num_threads(count)
    assert found == [0]


def test_without_the_extra(gpt_tui: Any, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "find_spec", lambda name: None)
    done = gpt_tui("serve")
    assert (done.code, done.err) == (1, (
        "gpt-tui: gpt-tui serve needs packages that are not installed; to have them: pip install starlette uvicorn\n"
    ))  # fmt: skip


def test_the_model_is_named_after_its_run() -> None:
    assert model_name(Path("runs/tiny/checkpoints/best")) == "tiny"
    assert model_name(Path("elsewhere/step-00000120")) == "step-00000120"


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False), ("10.1.1.1", False),
     ("example.org", False), ("localhost.example.org", False), ("", False)],
)  # fmt: skip
def test_what_only_means_this_machine(host: str, local: bool) -> None:
    assert loopback.is_loopback(host) == local


def test_addresses_are_shown_as_one_types_them() -> None:
    with loopback.listen("127.0.0.1", 0) as one, loopback.listen("0.0.0.0", 0) as every:
        assert loopback.url_of(one) == f"http://127.0.0.1:{one.getsockname()[1]}"
        assert loopback.url_of(every) == f"http://127.0.0.1:{every.getsockname()[1]}"


@pytest.mark.parametrize("url", ["https://chat.example", "http://localhost:3000", "*", "chrome-extension://abc"])
def test_origins_are_taken_as_browsers_send_them(url: str) -> None:
    assert serve._origin(url) == serve._origin(url + ("/" if url != "*" else "")) == url
