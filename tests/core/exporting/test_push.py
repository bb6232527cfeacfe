"""Uploading to a hub: one of our own, on this machine, that keeps what it is sent."""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from core.interop.push import check_repository
from gpt_tui.cli import main

from .conftest import MakeRun

pytest.importorskip("huggingface_hub", reason="huggingface_hub is in the test extra")


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's API as an upload of small files uses."""

    made: list[dict[str, Any]]
    files: dict[str, bytes]
    tokens: set[str]
    refuses = False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.tokens.add(self.headers.get("Authorization", ""))
        if self.refuses:
            self.answer({"error": "You don't have the rights"}, 403)
        elif self.path == "/api/repos/create":
            self.made.append(json.loads(body))
            self.answer({"url": f"http://{self.headers['Host']}/me/model"})
        elif self.path == "/api/models/me/model/preupload/main":
            names = [file["path"] for file in json.loads(body)["files"]]
            self.answer({"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]})
        elif self.path.startswith("/api/models/me/model/commit/main"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.answer(
                {"success": True, "commitUrl": f"http://{self.headers['Host']}/me/model/commit/1", "commitOid": "1"}
            )
        elif self.path == "/api/validate-yaml":  # the head of the model card
            self.answer({"errors": [], "warnings": []})
        else:
            self.answer({"error": "not here"}, 404)

    def do_GET(self) -> None:
        self.answer({"id": "me/model", "sha": "0", "siblings": []} if "/me/model" in self.path else {})

    def answer(self, value: Any, code: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    Hub.made, Hub.files, Hub.tokens = [], {}, set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def address(hub: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The hub's; whoever runs the tests is not logged in there."""
    found = f"http://127.0.0.1:{hub.server_port}"
    for name, value in {"ENDPOINT": found, "HF_HUB_OFFLINE": False, "HF_TOKEN_PATH": str(tmp_path / "token")}.items():
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return found


def push(runs: Path, *arguments: str) -> int:
    return main(["push", "a", "me/model", *arguments, "--runs-dir", str(runs), "--lang", "en"])


@pytest.mark.parametrize("public", [False, True])
def test_everything_arrives(
    make_run: MakeRun, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, public: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    make_run()
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_user")
    assert push(tmp_path / "runs", *["--public"] * public) == 0
    *files, last = capsys.readouterr().out.splitlines()
    assert last == f"uploaded: {address}/me/model"
    assert Hub.tokens == {"Bearer hf_of_the_user"}
    (made,) = Hub.made
    assert (made.get("visibility") == "private" or made.get("private", False)) is not public
    assert json.loads(Hub.files["config.json"])["architectures"] == ["ArceeForCausalLM"]
    assert set(Hub.files) == {line.split("  ")[0] for line in files}


@pytest.mark.parametrize("option", [[], ["--dry-run"]])
def test_without_a_login_it_says_what_would_go(
    make_run: MakeRun, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, option: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    make_run()
    if option:
        monkeypatch.setenv("HF_TOKEN", "hf_of_the_user")
    assert push(tmp_path / "runs", *option) == 0
    out = capsys.readouterr().out
    assert "model.safetensors" in out
    assert "nothing was uploaded; it would go to https://huggingface.co/me/model\n" in out
    assert out.endswith("me/model\n" if option else "you are not logged in there: hf auth login\n")
    assert Hub.tokens == set()


def test_a_hub_that_refuses(
    make_run: MakeRun, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run()
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_user")
    monkeypatch.setattr(Hub, "refuses", True)
    assert push(tmp_path / "runs") == 1
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1 and err[0].startswith("gpt-tui: me/model: not uploaded: ") and "403" in err[0]


@pytest.mark.parametrize("name", ["me/te acher", "a/b/c", "../x", "", "me/" + "x" * 97])
def test_names_that_no_repository_has(name: str) -> None:
    with pytest.raises(UserError, match="a repository is called USER/NAME"):
        check_repository(name)


def test_without_huggingface_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"^huggingface_hub is not installed; to have it: pip install huggingface_hub$"):
        check_repository("me/model")
