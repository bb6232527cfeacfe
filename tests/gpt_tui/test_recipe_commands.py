"""Recipes from the command line: their sizes, a made corpus in one command, --verify, --from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def smaller(tiny: list[str]) -> list[str]:
    """The tiny settings without what a recipe's corpus needs otherwise."""
    left_out = ("model.seq_len", "data.leaks", "tokenizer.vocab_size")
    kept = [item for item in tiny if not item.removeprefix("--set=").startswith(left_out)]
    return [*kept, "--set=model.seq_len=256", "--set=tokenizer.vocab_size=400", "--set=sampling.max_new_tokens=4"]


def test_the_seeds_five_figures(gpt_tui: Cli) -> None:
    out = gpt_tui("params", "--recipe", "reader-100m").out
    for figure in ("95,469,312", "364.19 MiB", "182.09 MiB", "91.05 MiB", "728.37 MiB"):
        assert figure in out


def test_quick_with_gpt2s_vocabulary(gpt_tui: Cli) -> None:
    found = gpt_tui("params", "--recipe", "pretrain-quick", "--set", "tokenizer.vocab_size=50257", "--json").json
    assert found["total"] == 6_540_800


def test_a_vocabulary_that_is_given_decides_the_size(gpt_tui: Cli, trained: Path) -> None:
    file = trained / "tokenizer.json"
    size = len(json.loads(file.read_text("utf-8"))["model"]["vocab"])
    found = gpt_tui("params", "--set", f"tokenizer.path={file}", "--json").json
    assert found["by_part"]["embedding"] == size * 256


def test_reader_makes_its_corpus_trains_and_verifies(gpt_tui: Cli, helpers: Any) -> None:
    train = [
        "--no-ui",
        "train",
        "--recipe",
        "reader",
        "--verify",
        "--steps",
        2,
        *smaller(helpers.tiny),
        "--set=model.init=random",
    ]
    numbers = [f"--set=data.{key}" for key in ("corpus_rows=40", "corpus_valid=10", "verify_rows=8")]
    done = gpt_tui(*train, *numbers, "--run", "r")
    assert (done.code, done.err) == (0, "")
    assert "making the corpus" in done.out
    assert "valid, unseen values: 10 rows" in done.out
    lines = [line.split() for line in done.out.splitlines()]
    header = next(i for i, line in enumerate(lines) if line[:3] == ["EXACT", "CONTAINS", "MISS"])
    table = lines[header + 1 :]
    parts = [line[0] for line in table if line and line[0] in ("valid", "valid,", "train")]
    assert parts == ["valid", "valid,", "train"]
    assert sum(line[4] == "8" for line in table[:1]) == 1
    assert gpt_tui("eval", "--run", "r", "--json").json["total"] == 10
    again = gpt_tui(*train, *numbers, "--run", "s")
    assert "making the corpus" not in again.out


def test_verify_says_where_there_is_nothing_to_ask(gpt_tui: Cli, helpers: Any, tmp_path: Path) -> None:
    text = tmp_path / "sea.txt"
    text.write_text("The boat left the bay and came back. 船从灯湾出发，又回来了。\n" * 60, encoding="utf-8")
    done = gpt_tui(
        "--no-ui", "train", "--recipe", "pretrain-quick", "--data", text, "--verify", "--steps", 2, *helpers.tiny
    )
    assert done.code == 0
    assert done.err == "nothing to verify: there is no question with an answer in the data\n"
    assert ", step 2: 灯湾是个小镇，" in done.out


def test_shakespeare_without_a_network_says_what_to_get(
    gpt_tui: Cli, helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def urlopen(*_: Any, **__: Any) -> Any:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("core.download.urllib.request.urlopen", urlopen)
    done = gpt_tui("--no-ui", "train", "--recipe", "char-shakespeare", "--run", "s")
    assert done.code == 1
    place = Path("runs/.corpora/tinyshakespeare.txt").absolute()
    assert done.err.startswith(
        "gpt-tui: tinyshakespeare.txt is not here and cannot be downloaded (Network is unreachable)"
    )
    assert "char-rnn/master/data/tinyshakespeare/input.txt" in done.err
    assert str(place) in done.err


def test_further_training_keeps_architecture_and_vocabulary(
    gpt_tui: Cli, copied: Path, tmp_path: Path, helpers: Any
) -> None:
    more = helpers.write_rows(tmp_path / "more.jsonl", {"什么是盐？": "盐是咸的。", "什么是糖？": "糖是甜的。"})
    done = gpt_tui("--no-ui", "train", "--from", "tiny:best", "--data", more, "--run", "further", "--steps", 40,
                   "--set", "data.valid_fraction=0.0", "--set", "training.batch_size=2")  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert "beginning with the weights of tiny, best (step" in done.out
    assert gpt_tui("ask", "什么是盐？", "--run", "further").out == "盐是咸的。\n"
    run = copied.parent / "further"
    assert (run / "tokenizer.json").read_bytes() == (copied / "tokenizer.json").read_bytes()
    assert json.loads((run / "report.json").read_text("utf-8"))["start"]["run"] == "tiny"


def test_further_training_with_another_recipe(gpt_tui: Cli, copied: Path, qa: Path) -> None:
    done = gpt_tui("--no-ui", "train", "--from", "tiny", "--recipe", "teacher", "--data", qa, "--run", "further",
                   "--steps", 1, "--set", "data.leaks=keep", "--set", "data.probes=[]")  # fmt: skip
    assert (done.code, done.err) == (0, "")
    found = gpt_tui("runs", "show", "further", "--json").json["settings"]
    assert found["model"]["n_embd"] == 32
    assert found["training"]["lr"] == 0.003
    assert found["training"]["start_from"] == str(copied / "checkpoints" / "step-00000120")


@pytest.mark.parametrize(("item", "key", "has"), [
    ("model.n_layer=3", "model.n_layer", "1"), ("tokenizer.vocab_size=999", "tokenizer.vocab_size", r"\d+"),
])  # fmt: skip
def test_further_training_with_settings_that_it_cannot_take_is_refused(
    gpt_tui: Cli, copied: Path, qa: Path, item: str, key: str, has: str
) -> None:
    for recipe in ((), ("--recipe", "teacher")):
        done = gpt_tui("--no-ui", "train", "--from", "tiny", *recipe, "--data", qa, "--run", "x", "--set", item)
        assert (done.code, done.out) == (1, "")
        assert f"--set {key}: further training keeps the architecture and the vocabulary of tiny" in done.err
        assert re.search(f"which has {has}\n$", done.err)
    assert not Path("runs/x").exists()


def test_where_further_training_cannot_begin(gpt_tui: Cli, copied: Path, qa: Path) -> None:
    train = ("--no-ui", "train", "--data", qa, "--run", "x")
    assert gpt_tui(*train, "--from", "none").err.startswith("gpt-tui: no run 'none'")
    assert "int8 weights cannot be trained further" in gpt_tui(*train, "--from", "tiny:int8").err
    assert "not allowed with argument" in gpt_tui(*train, "--from", "tiny", "--resume").err
