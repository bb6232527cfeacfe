"""What tools/install.py decides and says. Installing for real is what `make` does before these tests run."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from .loaded import ROOT, tool_named

PIN = "2.13.0"
tool = tool_named("install")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers here are on this machine, whatever proxy the machine has."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@contextmanager
def serving(status: int, page: str) -> Iterator[str]:
    """An index on the loopback that answers /cpu/torch/ like this, and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/cpu/torch/" else 500)
            self.end_headers()
            self.wfile.write(page.encode())

        do_HEAD = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/cpu"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections (the backlog does) and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/cpu"


# ---- the probe


@pytest.mark.parametrize("name", ["torch-2.13.0%2Bcpu-cp311-cp311-win_amd64.whl", "torch-2.13.0-cp311-none.whl"])
def test_index_that_has_the_release(name: str) -> None:
    with serving(200, f'<a href="{name}">torch</a>') as url:
        assert tool.probe(url, PIN) == ""
        assert tool.probe(url + "/", PIN) == ""


@pytest.mark.parametrize("page", ["<h1>Please log in</h1>", "torch-2.12.0%2Bcpu", "torch-2.13.0rc1-cp311", ""])
def test_answer_without_the_release(page: str) -> None:
    with serving(200, page) as url:
        assert tool.probe(url, PIN) == "no torch 2.13.0 there"


def test_index_that_answers_404() -> None:
    with serving(404, "torch-2.13.0-") as url:
        assert tool.probe(url, PIN) == "it answered 404"


def test_index_that_never_answers() -> None:
    start = time.monotonic()
    with silent_server() as url:
        reason = tool.probe(url, PIN, 0.3)
    assert reason.startswith(("no answer within 0.3 s", "not reachable"))
    assert time.monotonic() - start < 20  # a bound against hanging, not a measurement


def test_nobody_listens() -> None:
    with silent_server() as url:
        pass
    assert tool.probe(url, PIN).startswith("not reachable")


@pytest.mark.parametrize("url", ["file:///nowhere/wheels", "https://me:secret@mirror.invalid/cpu"])
def test_what_only_pip_can_open_is_not_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "_look", lambda *_: pytest.fail("asked"))
    assert tool.probe(url, PIN) == ""


def test_work_that_takes_too_long_is_left_behind() -> None:
    release = threading.Event()
    assert tool.within(0.05, release.wait) is None
    release.set()
    assert tool.within(20, lambda: "done") == "done"


# ---- where torch comes from


@pytest.mark.parametrize("system", ["Linux", "Windows"])
def test_torchs_own_index_where_it_answers(system: str) -> None:
    assert tool.choose_source("", system, lambda _: "") == (tool.CPU_INDEX, "")


@pytest.mark.parametrize("system", ["Linux", "Windows"])
def test_ordinary_index_where_it_does_not(system: str) -> None:
    url, note = tool.choose_source("", system, lambda _: "it answered 503")
    assert url is None
    assert tool.CPU_INDEX in note
    assert "it answered 503" in note


@pytest.mark.parametrize(("setting", "system"), [("", "Darwin"), ("none", "Linux"), (" None ", "Windows")])
def test_ordinary_index_without_asking(setting: str, system: str) -> None:
    assert tool.choose_source(setting, system, lambda _: pytest.fail("asked")) == (None, "")


@pytest.mark.parametrize("system", ["Linux", "Windows", "Darwin"])
def test_the_setting_goes_first(system: str) -> None:
    asked: list[str] = []
    ask = lambda url: asked.append(url) or ""  # type: ignore[func-returns-value]  # noqa: E731
    assert tool.choose_source("https://mirror.invalid/cpu", system, ask) == ("https://mirror.invalid/cpu", "")
    assert asked == ["https://mirror.invalid/cpu"]


def test_a_setting_that_does_not_answer_is_named_without_its_password() -> None:
    url, note = tool.choose_source("https://me:secret@mirror.invalid/cpu", "Linux", lambda _: "no answer")
    assert url is None
    assert note.startswith(tool.SETTING)
    assert "mirror.invalid" in note
    assert "secret" not in note


# ---- which torch


@pytest.mark.parametrize(
    ("version", "same"),
    [("2.13.0", True), ("2.13.0+cpu", True), ("2.13.0+cu130", True), ("2.13.1", False), ("2.13.0rc1", False)],
)
def test_the_same_release(version: str, same: bool) -> None:
    assert tool.same_release(version, PIN) is same


def test_no_torch_is_not_the_same_release() -> None:
    assert not tool.same_release(None, PIN)


def test_the_pin_is_read_from_the_constraints() -> None:
    assert tool.read_pin("# torch==9\npytorch==1\ntorch==2.13.0 ; python_version > '3'\n", "torch") == "2.13.0"
    with pytest.raises(tool.InstallError, match="torch"):
        tool.read_pin("numpy==2.2.6\n", "torch")
    assert tool.read_pin((ROOT / "constraints.txt").read_text(encoding="utf-8"), "torch")


@pytest.mark.parametrize("failing", [False, True])
def test_torch_comes_alone_from_its_index_or_else_from_the_ordinary_one(
    failing: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[str]] = []

    def run_pip(_: Path, arguments: list[str], *, show: bool = False) -> str | None:
        commands.append(arguments)
        return "broken pipe" if failing and len(commands) == 1 else None

    monkeypatch.setenv(tool.SETTING, "https://mirror.invalid/cpu")
    monkeypatch.setattr(tool, "installed_torch", lambda _: None)
    monkeypatch.setattr(tool, "probe", lambda *_: "")
    monkeypatch.setattr(tool, "warn_of_gpu_build", lambda *_: None)
    monkeypatch.setattr(tool, "run_pip", run_pip)
    tool.install_torch(Path("env"), PIN)
    own = ["--no-deps", "--index-url", "https://mirror.invalid/cpu", "torch==2.13.0"]
    assert commands == ([own, ["torch==2.13.0"]] if failing else [own])
    assert ("broken pipe" in capsys.readouterr().out) is failing


# ---- pip


def test_pip_never_waits_for_ever_nor_asks(tmp_path: Path) -> None:
    command = " ".join(tool.pip_install(tmp_path, {}))
    assert "--timeout 20 --retries 3 --constraint constraints.txt" in command
    assert "--no-input" in command
    settings = {"PIP_DEFAULT_TIMEOUT": "90", "PIP_RETRIES": "1"}
    assert "--timeout 90 --retries 1" in " ".join(tool.pip_install(tmp_path, settings))


def test_one_line_tells_what_was_wrong() -> None:
    none = "ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: none)\n"
    last = "ERROR: No matching distribution found for torch==2.13.0\n"
    lost = "WARNING: Retrying after connection broken by 'NewConnectionError(\"refused\")': /torch/\n"
    assert tool.last_error(none + last) == none.removeprefix("ERROR: ").strip()
    assert tool.last_error(lost + none + last) == "refused"
    assert tool.last_error("  error: https://me:secret@mirror.invalid is gone\n") == "https://mirror.invalid is gone"
    assert tool.last_error("Killed\n") == "Killed"
    assert tool.last_error("") == "pip said nothing"


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_each_phase_is_tried_twice(
    failures: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(["no route to host"] * failures + [None] * 2)
    monkeypatch.setattr(tool, "run_pip", lambda *_, **__: next(answers))
    if failures == 2:
        with pytest.raises(tool.InstallError, match=r"could not install numpy: no route to host\. Look there\."):
            tool.pip_twice(Path("env"), "numpy", ["numpy"], "Look there.")
    else:
        tool.pip_twice(Path("env"), "numpy", ["numpy"], "Look there.")
    said = capsys.readouterr().out
    assert said.startswith("install: numpy\n")
    assert ("no route to host" in said) is (failures > 0)


# ---- the warning before the GPU build


def report(*names: str) -> dict[str, Any]:
    items = [{"metadata": {"name": name}, "download_info": {"url": f"file:///{name}"}} for name in names]
    return {"install": items}


def test_gpu_parts_are_found_in_pips_report() -> None:
    gpu = report("torch", "nvidia-cudnn-cu13", "nvidia_nvtx", "triton", "cuda-bindings", "sympy", "tritonclient")
    assert tool.gpu_parts(gpu) == ["cuda-bindings", "nvidia-cudnn-cu13", "nvidia-nvtx", "triton"]
    assert tool.gpu_parts(report("torch", "sympy", "networkx", "setuptools")) == []
    assert tool.gpu_parts({}) == []


def test_size_of_a_download(tmp_path: Path) -> None:
    wheel = tmp_path / "a b.whl"
    wheel.write_bytes(b"12345")
    assert tool.download_size([wheel.as_uri(), wheel.as_uri()]) == 10
    assert tool.download_size([wheel.as_uri(), (tmp_path / "missing").as_uri()]) is None
    with serving(200, "") as url:  # says no length
        assert tool.download_size([url + "/torch/"]) is None


def test_warning_names_the_size_and_the_way_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "dry_run", lambda *_: report("torch", "triton", "nvidia-nvtx"))
    monkeypatch.setattr(tool, "download_size", lambda _: 2_710_000_000)
    tool.warn_of_gpu_build(Path("env"), PIN)
    said = capsys.readouterr().out
    for part in ("2.7 GB", "2 packages", tool.SETTING, tool.CPU_INDEX):
        assert part in said
    assert "several gigabytes" in tool.gpu_warning(["triton"], None, PIN)


@pytest.mark.parametrize("found", [{}, report("torch", "sympy")])
def test_no_warning_without_gpu_parts(
    found: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "dry_run", lambda *_: found)
    tool.warn_of_gpu_build(Path("env"), PIN)
    assert capsys.readouterr().out == ""


# ---- the stamp


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\n", encoding="utf-8")
    return tmp_path


def test_fingerprint_changes_with_what_it_stands_for(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    marks = [tool.fingerprint(checkout, "3.11.7")]
    assert tool.fingerprint(checkout, "3.11.7") == marks[0]
    marks.append(tool.fingerprint(checkout, "3.12.1"))
    moved = tmp_path_factory.mktemp("moved")
    for file in ("pyproject.toml", "constraints.txt"):
        (moved / file).write_bytes((checkout / file).read_bytes())
    marks.append(tool.fingerprint(moved, "3.11.7"))
    for file in ("pyproject.toml", "constraints.txt"):
        (checkout / file).write_text("# changed\n", encoding="utf-8")
        marks.append(tool.fingerprint(checkout, "3.11.7"))
    assert len(set(marks)) == len(marks)


def test_stamp_holds_the_extras_of_its_fingerprint(tmp_path: Path) -> None:
    assert tool.stamped_extras(tmp_path, "a") is None
    tool.write_stamp(tmp_path, "a", {"test", "plots"})
    assert tool.stamped_extras(tmp_path, "a") == {"test", "plots"}
    assert tool.stamped_extras(tmp_path, "b") is None
    for damaged in ("", "[]", "{}", "{"):
        (tmp_path / tool.STAMP).write_text(damaged, encoding="utf-8")
        assert tool.stamped_extras(tmp_path, "a") is None


@pytest.fixture
def phases(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records the phases of install() instead of running them."""
    ran: list[str] = []
    monkeypatch.setattr(tool, "ROOT", checkout)
    monkeypatch.setattr(tool, "ready_venv", lambda _: tool.Interpreter("3.11.7", True))
    monkeypatch.setattr(tool, "install_torch", lambda _, pin: ran.append(f"torch {pin}"))
    monkeypatch.setattr(tool, "check_torch", lambda _, pin: ran.append("check"))
    monkeypatch.setattr(tool, "pip_twice", lambda _, what, arguments, hint: ran.append(arguments[-1]))
    return ran


def test_second_time_nothing_runs_and_nothing_is_said(
    phases: list[str], checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool.install(checkout, {"test", "plots"})
    assert phases == ["editables", "torch 2.13.0", ".[plots,test]", "check"]
    capsys.readouterr()
    phases.clear()
    tool.install(checkout, {"test", "plots"})
    tool.install(checkout, {"plots"})
    tool.install(checkout, set())
    assert phases == []
    assert capsys.readouterr().out == ""


def test_more_extras_come_on_top_of_those_installed(phases: list[str], checkout: Path) -> None:
    tool.install(checkout, set())
    tool.install(checkout, {"plots"})
    tool.install(checkout, {"test"})
    assert [phase for phase in phases if phase.startswith(".")] == [".", ".[plots]", ".[plots,test]"]


def test_unfinished_installation_leaves_no_stamp(
    phases: list[str], checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path, pin: str) -> None:
        raise tool.InstallError("no")

    tool.install(checkout, {"plots"})
    (checkout / "constraints.txt").write_text("torch==2.14.0\n", encoding="utf-8")
    monkeypatch.setattr(tool, "install_torch", fail)
    with pytest.raises(tool.InstallError):
        tool.install(checkout, {"plots"})
    assert not (checkout / tool.STAMP).exists()


# ---- the environment, and the command as a whole


def test_missing_venv_module_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert tool.main(["--venv", str(tmp_path / "env")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert "apt install python3-venv" in captured.err
    assert not (tmp_path / "env").exists()


def test_other_peoples_folders_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    assert tool.main(["--venv", str(tmp_path)]) == 1
    assert "no Python environment" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").exists()


def test_environment_that_no_longer_runs_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[str]] = []

    def quiet(command: list[str], seconds: float | None = None) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 1, "", "Error: disk full\n")

    (tmp_path / "pyvenv.cfg").write_text("version = 3.8.1\n", encoding="utf-8")
    monkeypatch.setattr(tool, "look_inside", lambda _: None)
    monkeypatch.setattr(tool, "quiet", quiet)
    with pytest.raises(tool.InstallError, match="disk full"):
        tool.ready_venv(tmp_path)
    assert commands == [[sys.executable, "-m", "venv", "--clear", str(tmp_path)]]


def test_environment_with_too_old_a_python(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "ready_venv", lambda _: tool.Interpreter("3.9.18", True))
    assert tool.main(["--venv", str(checkout)]) == 1
    assert "3.10 or newer" in capsys.readouterr().err


def test_a_real_environment_answers(tmp_path: Path) -> None:
    assert tool.look_inside(tmp_path) is None
    venv.create(tmp_path / "env", symlinks=True)
    running = ".".join(map(str, sys.version_info[:3]))
    assert tool.look_inside(tmp_path / "env") == (running, False)
    assert tool.installed_torch(tmp_path / "env") is None


def test_interruption_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(_: Path, extras: set[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tool, "install", stop)
    assert tool.main([]) == 1
    assert capsys.readouterr().err == "install: stopped; run the same again to go on\n"
