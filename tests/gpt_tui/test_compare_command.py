"""``gpt-tui compare``: rates, changed rows, a verdict, and a default checkpoint that is earned."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture
def pair(gpt_tui: Cli, copied: Path, qa: Path, helpers: Any) -> Path:
    """Beside 'tiny', which knows the twelve answers, a run 'poor' that has had two steps."""
    assert (
        gpt_tui("--no-ui", "train", "--data", qa, "--valid", qa, "--run", "poor", "--steps", 2, *helpers.tiny).code == 0
    )
    return copied.parent


def test_the_better_one_is_promoted_and_answers_from_then_on(gpt_tui: Cli, pair: Path, qa: Path) -> None:
    done = gpt_tui("compare", "poor", "tiny", "--data", qa, "--promote")
    assert (done.code, done.err) == (0, "")
    assert "only B is right: 12 rows; only A is right: 0 rows" in done.out
    assert "B is better than A (p = 0.00049, exact paired test)" in done.out
    assert "tiny:step-00000120 is the default checkpoint now" in done.out
    assert "+ 一加一等于几？ = 2 | A: " in done.out
    assert "… and 2 more" in done.out
    assert json.loads((pair / "default.json").read_text("utf-8"))["evidence"]["against"] == "poor:step-00000002"
    assert gpt_tui("ask", "一加一等于几？").out == "2\n"  # 'poor' is the newer run
    assert gpt_tui("ask", "一加一等于几？", "--run", "poor").out != "2\n"
    assert gpt_tui("eval", "--data", qa, "--json").json["exact"] == 12
    assert "default: step-00000120" in gpt_tui("runs").out
    found = {item["run"]: item.get("default") for item in gpt_tui("runs", "--json").json}
    assert found == {"tiny": "step-00000120", "poor": None}


def test_the_default_goes_with_its_run(gpt_tui: Cli, pair: Path, qa: Path) -> None:
    gpt_tui("compare", "poor", "tiny", "--data", qa, "--promote")
    assert gpt_tui("runs", "delete", "tiny", "--yes").code == 0
    assert not (pair / "default.json").exists()
    assert gpt_tui("ask", "水？").code == 0


@pytest.mark.parametrize(
    ("a", "b", "part"),
    [
        ("tiny", "poor", "not promoted: poor:step-00000002 loses 12 rows and gains 0"),
        ("tiny", "tiny:best", "not promoted: 0 rows gained and 0 lost may be chance; p would have to be below 0.05"),
    ],
)
def test_nothing_else_is_promoted_and_it_says_why(
    gpt_tui: Cli, pair: Path, qa: Path, a: str, b: str, part: str
) -> None:  # fmt: skip
    done = gpt_tui("compare", a, b, "--data", qa, "--promote")
    assert done.code == 0
    assert part in done.out
    assert not (pair / "default.json").exists()


def test_without_promote_nothing_changes(gpt_tui: Cli, pair: Path, qa: Path) -> None:
    done = gpt_tui("compare", "poor", "tiny", "--data", qa)
    assert "B is better" in done.out
    assert "promoted" not in done.out
    assert not (pair / "default.json").exists()


def test_as_json(gpt_tui: Cli, pair: Path, qa: Path) -> None:
    found = gpt_tui("compare", "poor", "tiny:best", "--data", qa, "--promote", "--json").json
    assert found["runs"] == ["poor:step-00000002", "tiny:best"]
    assert (found["b"]["exact"], found["b"]["total"], found["a"]["exact"]) == (12, 12, 0)
    assert (len(found["gained"]), found["lost"]) == (12, [])
    assert found["p"] == pytest.approx(2 / 2**12)
    assert (found["verdict"], found["promoted"]) == ("better", True)
    assert found["trained_on"] == [0, 1]
    assert set(found["gained"][0]) == {"prompt", "expected", "a", "b", "kind"}


def test_questions_that_were_trained_on_are_pointed_out(gpt_tui: Cli, pair: Path, qa: Path, tmp_path: Path) -> None:
    assert "note: tiny:step-00000120 was trained on this very file" in gpt_tui("compare", "poor", "tiny").out
    other = tmp_path / "other.jsonl"
    other.write_text(qa.read_text("utf-8").replace("什么是水", "水是什么"), encoding="utf-8")
    assert "was trained on" not in gpt_tui("compare", "poor", "tiny", "--data", other).out


def test_what_cannot_be_compared(gpt_tui: Cli, trained: Path, tmp_path: Path) -> None:
    done = gpt_tui("compare", "tiny", "none")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("gpt-tui: no run 'none' in ")
    assert "no checkpoint 'x'" in gpt_tui("compare", "tiny", "tiny:x").err
    text = tmp_path / "a.txt"
    text.write_text("the sea", encoding="utf-8")
    assert gpt_tui("compare", "tiny", "tiny", "--data", text).err == (
        "gpt-tui: no question with an answer to compare on\n"
    )  # fmt: skip
    assert gpt_tui("compare", "tiny").code == 2
