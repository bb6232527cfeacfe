"""Whatever stands on the command line ends in a result or in one line, never in a traceback.

100 command lines by default; 10,000 with HYPOTHESIS_PROFILE=slow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings import settings

Cli = Callable[..., Any]

COMMANDS = ["train", "params", "doctor", "runs", "check", "tokenizer", "ask", "eval", "compare", "watch", "plot", "x"]
WORDS = [
    "--recipe", "--config", "--set", "--data", "--valid", "--steps", "--minutes", "--run", "--resume", "--from",
    "--verify", "--json", "--checkpoint", "--temperature", "--top-k", "--top-p", "--repetition-penalty", "--stop",
    "--max-new-tokens", "--min-new-tokens", "--seed", "--show-label", "--show", "--lang", "--no-ui", "--help",
    "--version", "--", "-", "", "teacher", "techer", "zh", "en", "show", "list", "inspect", "build", "tiny", "last",
    "best", "int8", "0", "-1", "1e999", "nan", "inf", "1e-3", "9" * 50, "null", "true", "[", "{", "a: b: c", "\\",
    ".", "..", "/", "/dev/null", "/dev/zero", "~nobody/x", "a=b", "水？",
]  # fmt: skip
#: No surrogates and no NUL: the system passes neither.
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
VALUES = st.one_of(st.sampled_from(WORDS), TEXT, st.integers().map(str), st.floats().map(repr))
OVERRIDES = st.builds("--set={}={}".format, st.sampled_from(list(settings())), VALUES)


@given(st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=1), st.lists(st.one_of(VALUES, OVERRIDES), max_size=6))
def test_any_command_line(
    gpt_tui: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], rest: list[str]
) -> None:
    monkeypatch.setattr("gpt_tui.commands.train._listen", lambda *_: True)  # the rest of train is what is tried here
    monkeypatch.setattr("gpt_tui.screen.open_app", lambda *_: 0)
    monkeypatch.setattr("gpt_tui.screen.why_not", lambda *_: "")
    done = gpt_tui(*command, *rest)
    assert done.code in (0, 1, 2)
    assert "Traceback" not in done.err
    if done.code == 2 and "usage" not in done.err:
        assert done.err.count("\n") == 1, done.err
    if done.code == 1 and done.err:
        assert len(done.err.splitlines()) == 1, done.err


SAMPLING = ("temperature", "top_k", "top_p", "repetition_penalty", "max_new_tokens", "min_new_tokens", "seed", "stop")


@given(st.lists(st.tuples(st.sampled_from(SAMPLING), VALUES), max_size=4))
def test_any_sampling_options(gpt_tui: Cli, trained: Path, options: list[tuple[str, str]]) -> None:
    words = [f"--{name.replace('_', '-')}={value}" for name, value in options]
    done = gpt_tui("ask", "水？", "--json", "--max-new-tokens=3", *words)
    assert done.code in (0, 1, 2)
    if done.code == 0:
        assert isinstance(done.json["text"], str)
    else:
        assert len(done.err.splitlines()) == 1, done.err
