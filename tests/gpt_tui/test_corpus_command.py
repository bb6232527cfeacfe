"""``gpt-tui corpus make``: three files, the same for the same seed, errors in one line."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpt_tui import cli
from gpt_tui.commands import corpus

Cli = Callable[..., Any]


def test_three_files(gpt_tui: Cli, tmp_path: Path) -> None:
    done = gpt_tui("corpus", "make", "reader", "--train", 30, "--valid", 7, "--seed", 5, "--out", "made")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "made/train.jsonl: 30 rows", "made/valid.jsonl: 7 rows", "made/valid_unseen.jsonl: 7 rows",
    ]  # fmt: skip
    gpt_tui("corpus", "make", "reader", "--train", 30, "--valid", 7, "--seed", 5, "--out", tmp_path / "again")
    gpt_tui("corpus", "make", "reader", "--train", 30, "--valid", 7, "--seed", 6, "--out", tmp_path / "other")
    for name in ("train", "valid", "valid_unseen"):
        texts = [(folder / f"{name}.jsonl").read_bytes() for folder in (Path("made"), tmp_path / "again")]
        assert texts[0] == texts[1]
        assert texts[0] != (tmp_path / "other" / f"{name}.jsonl").read_bytes()


def test_the_names_are_those_the_engine_can_make() -> None:
    from core.corpora.made import WRITERS

    assert set(corpus.NAMES) == set(WRITERS)


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["--train", 0], 1, "gpt-tui: --train 0: must be at least 1\n"),
        (["--valid", -1], 1, "gpt-tui: --valid -1: must be at least 0\n"),
        (["--train", "many"], 2, "invalid int value: 'many'"),
        (["--out", "/dev/null/x"], 1, "gpt-tui: /dev/null/x: cannot be written: Not a directory\n"),
    ],
)
def test_errors_are_one_line(gpt_tui: Cli, arguments: list[Any], code: int, part: str) -> None:
    done = gpt_tui("corpus", "make", "reader", "--out", "made", *arguments)
    assert (done.code, done.out) == (code, "")
    assert part in done.err
    assert done.err.count("\n") == 1
    assert not Path("made").exists()


def test_another_name_and_no_name(gpt_tui: Cli) -> None:
    assert "'poems'" in gpt_tui("corpus", "make", "poems", "--out", "x").err
    assert gpt_tui("corpus").code == 2
    assert gpt_tui("corpus", "make", "reader").code == 2


def test_a_terminal_gets_a_progress_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("core.corpora.reader.PROGRESS_ROWS", 10)
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    assert cli.main(["corpus", "make", "reader", "--train", "30", "--valid", "5", "--out", str(tmp_path)]) == 0
    shown = screen.getvalue()
    assert "[########......................]  25 %  10 of 40 rows" in shown
    assert shown.endswith("\r\x1b[K")


def test_a_file_of_somebody_else_is_not_replaced(gpt_tui: Cli) -> None:
    for text in ('{"prompt": "阅读下面短文：\\n", "completion": "mine"}\n', "no JSON", "[" * 5000):
        Path("train.jsonl").write_text(text, encoding="utf-8")
        done = gpt_tui("corpus", "make", "reader", "--train", 5, "--valid", 2, "--out", ".")
        assert (done.code, done.out) == (1, "")
        assert done.err == "gpt-tui: train.jsonl: exists already and is no such corpus; --force replaces it\n"
        assert Path("train.jsonl").read_text(encoding="utf-8") == text
    assert not Path("valid.jsonl").exists()
    assert gpt_tui("corpus", "make", "reader", "--train", 5, "--valid", 2, "--out", ".", "--force").code == 0
    assert gpt_tui("corpus", "make", "reader", "--train", 6, "--valid", 2, "--out", ".").code == 0
    assert len(Path("train.jsonl").read_text(encoding="utf-8").splitlines()) == 6
