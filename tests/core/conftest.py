"""Small things that many tests of the engine need."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import UserError
from core.tokenizer import Tokenizer, train_bpe, train_char

ROOT = Path(__file__).resolve().parents[2]

TEXTS = [
    "什么是注意力机制？",
    "注意力机制通过分配权重让模型关注关键位置，从而更好地理解序列中的关系。",
    "用户:什么是注意力机制？\n助手:",
    "The quick brown fox jumps over the lazy dog; the quick brown fox is quick.",
] * 3


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny matrices gain nothing from a second thread; and what a test does to torch's settings ends with it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def message_of() -> Callable[[Callable[[], object]], str | None]:
    """A function that calls another: the message of its ``UserError``, None if it raised none.

    Any other exception fails the test. For properties in which both outcomes are right.
    """

    def message(call: Callable[[], object]) -> str | None:
        try:
            call()
        except UserError as error:
            return str(error)
        return None

    return message


@pytest.fixture(scope="session")
def bpe() -> Tokenizer:
    """A small byte-level BPE tokenizer that has learnt some Chinese and some English."""
    return train_bpe(iter(TEXTS), 320)


@pytest.fixture(scope="session")
def char() -> Tokenizer:
    """A tokenizer of single characters."""
    return train_char(iter(TEXTS), 300)


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes rows as JSON Lines and returns the path."""

    def write(rows: list[Any], name: str = "rows.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def python(request: pytest.FixtureRequest) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """A function that starts Python code in a process of its own; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
