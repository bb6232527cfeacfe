"""The command line called as a function, and one small run trained with it for all tests."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gpt_tui import cli, i18n, screen
from gpt_tui.screen import Opening

from .idle import wait_for_idle

ROOT = Path(__file__).resolve().parents[2]

#: Questions and answers that the run of ``trained`` knows by heart; short answers among them.
PAIRS = {
    "什么是水？": "水是由氢和氧组成的物质。",
    "谁写软件？": "用户",
    "天空是什么颜色？": "蓝色",
    "一加一等于几？": "2",
    "什么是光？": "光是一种电磁波。",
    "猫吃什么？": "鱼",
    "什么是词元？": "词元是文本的最小单位。",
    "太阳是什么？": "太阳是一颗恒星。",
    "什么是损失？": "损失衡量预测与答案的差距。",
    "冰是什么？": "冰是固态的水。",
    "什么是模型？": "模型是一个函数。",
    "月亮是什么？": "月亮是地球的卫星。",
}

#: As options of ``train``: a model of 23,000 parameters, in fp32 on one thread.
TINY = [
    f"--set={item}"
    for item in (
        "model.n_layer=1", "model.n_head=2", "model.n_embd=32", "model.seq_len=64", "model.dropout=0.0",
        "tokenizer.vocab_size=320", "tokenizer.max_token_length=null", "data.probes=[]", "data.leaks=keep",
        "training.batch_size=12", "training.lr=1e-2", "training.min_lr=1e-5", "training.warmup_ratio=0.05",
        "training.weight_decay=0.0", "training.dtype=fp32", "training.threads=1", "training.eval_interval=60",
        "training.save_interval=60", "training.log_interval=10", "training.keep_checkpoints=2",
        "sampling.max_new_tokens=100", "sampling.repetition_penalty=1.0",
    )
]  # fmt: skip


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON value: strict, without NaN."""
        return json.loads(self.out, parse_constant=pytest.fail)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON Lines."""
        return [json.loads(line, parse_constant=pytest.fail) for line in self.out.splitlines()]


Cli = Callable[..., Done]


def call(arguments: list[str]) -> int:
    try:
        return cli.main(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else pytest.fail(f"not a code: {end.code}")


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Messages are English unless a test asks for another language; none is left to the next test."""
    i18n.set_language("en")
    yield
    i18n.set_language("en")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GPT_TUI_RUNS", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(autouse=True)
def _looks_when_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """See ``idle.py``."""
    for module in ("textual.pilot", "textual.app"):
        monkeypatch.setattr(f"{module}.wait_for_idle", wait_for_idle)


@pytest.fixture
def gpt_tui(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """``gpt_tui("ask", "水？")`` in an empty folder: exit code and output. Nothing that a terminal obeys may
    ever be in the output."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    # Tiny matrices gain nothing from a second thread, and lose much where others want it too.
    monkeypatch.setattr("core.machine.usable_cores", lambda: 1)

    def run(*arguments: object, stdin: str | bytes | None = None) -> Done:
        data = stdin.encode() if isinstance(stdin, str) else stdin or b""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        capsys.readouterr()
        code = call([str(argument) for argument in arguments])
        done = Done(code, *capsys.readouterr())
        assert_harmless(done.out)
        assert_harmless(done.err)
        return done

    return run


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Opening]:
    """What the app would have been opened with, in an empty folder, as if a terminal were there."""
    found: list[Opening] = []

    def open_app(args: Any, opening: Opening | None = None) -> int:
        found.append(opening or Opening())
        return 0

    monkeypatch.setattr(screen, "why_not", lambda: "")
    monkeypatch.setattr(screen, "open_app", open_app)
    monkeypatch.chdir(tmp_path)
    return found


def assert_harmless(text: str) -> None:
    from core.text import printable

    assert printable(text, keep_newlines=True) == text
    assert "\r" not in text


@pytest.fixture
def shell() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts the real command; what still runs at the end of the test, or after two minutes, is killed."""
    started: list[tuple[subprocess.Popen[bytes], threading.Timer]] = []

    def start(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
        environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
        environment |= options.pop("env", {})
        command = [sys.executable, "-m", "gpt_tui", *map(str, arguments)]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, env=environment, **{**streams, **options})
        watch = threading.Timer(120.0, process.kill)
        watch.start()
        started.append((process, watch))
        return process

    yield start
    for process, watch in started:
        watch.cancel()
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def write_rows(path: Path, rows: dict[str, str], **more: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"prompt": p, "completion": c, **more}, ensure_ascii=False) + "\n" for p, c in rows.items()]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def qa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the dozen questions that ``trained`` was trained on."""
    return write_rows(tmp_path_factory.mktemp("data") / "qa.jsonl", PAIRS)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory, qa: Path) -> tuple[Path, Done]:
    """A folder of runs with one run, 'tiny', and what its training printed."""
    folder = tmp_path_factory.mktemp("trained") / "runs"
    before = i18n.language()
    out, err = io.StringIO(), io.StringIO()
    arguments = ["--no-ui", "--lang", "en", "--runs-dir", folder, "train", "--data", qa, "--valid", qa, "--run", "tiny"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = call([*map(str, arguments), "--steps", "120", *TINY])
    i18n.set_language(before)
    assert code == 0, err.getvalue()
    return folder, Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
def trained(trained_once: tuple[Path, Done], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run 'tiny', the newest where commands look for runs. To be read only."""
    folder = trained_once[0]
    monkeypatch.setenv("GPT_TUI_RUNS", str(folder))
    return folder / "tiny"


@pytest.fixture
def copied(trained_once: tuple[Path, Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run 'tiny' that a test may change."""
    shutil.copytree(trained_once[0], tmp_path / "runs")
    monkeypatch.setenv("GPT_TUI_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs" / "tiny"


def first_line(process: subprocess.Popen[bytes], pattern: str) -> re.Match[str]:
    """What a server says once it can be reached."""
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    match = re.search(pattern, line)
    if match is None:
        process.kill()
        pytest.fail(line + process.communicate()[1].decode())
    return match


@pytest.fixture
def web_started(
    shell: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> tuple[subprocess.Popen[bytes], str, str]:
    """``gpt-tui web`` on a free port: the process, its address, and the token."""
    work = tmp_path / "work"
    work.mkdir()
    environment = {"XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    process = shell("--lang", "en", "web", "--port", "0", "--runs-dir", tmp_path / "runs", cwd=work, env=environment)
    match = first_line(process, r"the app: (http://127\.0\.0\.1:\d+)/\?token=([\w-]{32}) ; Ctrl\+C ends\n")
    return process, match[1], match[2]


@pytest.fixture
def helpers() -> Any:
    """What tests cannot import from here, as pytest imports each file by itself."""

    class Helpers:
        pairs, tiny, root = PAIRS, TINY, ROOT
        write_rows = staticmethod(write_rows)
        assert_harmless = staticmethod(assert_harmless)
        first_line = staticmethod(first_line)

    return Helpers
