"""Each command but ``train``: what it prints, what its JSON holds, what its options do."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.checkpoint import load, newest, save
from core.lock import FolderLock
from core.tokenizer import Tokenizer
from gpt_tui import cli

Cli = Callable[..., Any]


# -- ask ------------------------------------------------------------------------------------------------------


def test_every_question_is_answered_word_for_word(gpt_tui: Cli, trained: Path, helpers: Any) -> None:
    for question, answer in list(helpers.pairs.items())[:4]:
        done = gpt_tui("ask", question)
        assert (done.code, done.out, done.err) == (0, answer + "\n", "")


def test_ask_as_json(gpt_tui: Cli, trained: Path) -> None:
    found = gpt_tui("ask", "什么是水？", "--json").json
    assert found["text"] == "水是由氢和氧组成的物质。"
    assert found["stop_reason"] == "end"
    assert found["stop"] is None
    assert all(set(token) == {"text", "p"} for token in found["tokens"])
    assert all(0.3 < token["p"] <= 1.0 for token in found["tokens"])
    assert found["tokens_per_second"] > 0
    assert found["prompt_tokens"] > 5
    assert found["cut_tokens"] == 0
    assert 0 < found["first_token_seconds"] < 60
    assert 5 < len(found["tokens"]) < 40


def test_ask_stops(gpt_tui: Cli, trained: Path) -> None:
    found = gpt_tui("ask", "什么是水？", "--json", "--stop", "氢").json
    assert (found["text"], found["stop_reason"], found["stop"]) == ("水是由", "stop", "氢")
    found = gpt_tui("ask", "什么是水？", "--json", "--stop", "物质", "--stop", "和").json
    assert (found["text"], found["stop"]) == ("水是由氢", "和")
    assert gpt_tui("ask", "什么是水？", "--stop", "氢").out == "水是由\n"


def test_a_stop_may_be_typed_as_in_a_string(gpt_tui: Cli, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    from gpt_tui.commands import ask

    monkeypatch.setattr(ask, "print_answer", lambda loaded, text, sampling, *rest: seen.append(sampling.stop))
    assert gpt_tui("ask", "?", "--stop", r"\n", "--stop", r"a\tb", "--stop", r"c:\d").code == 0
    assert gpt_tui("ask", "?").code == 0
    assert seen == [["\n", "a\tb", r"c:\d"], ["\n", "用户:"]]


def test_ask_with_lengths(gpt_tui: Cli, trained: Path) -> None:
    found = gpt_tui("ask", "什么是水？", "--json", "--max-new-tokens", "3").json
    assert (found["stop_reason"], len(found["tokens"])) == ("length", 3)
    found = gpt_tui(
        "ask", "猫吃什么？", "--json", "--min-new-tokens", "9", "--max-new-tokens", "9", "--stop", "@@"
    ).json
    assert len(found["tokens"]) == 9
    assert found["text"].startswith("鱼")


def test_ask_draws_with_a_seed(gpt_tui: Cli, trained: Path) -> None:
    def draw(*more: object) -> str:
        options = ["--temperature", "10", "--max-new-tokens", "12", "--min-new-tokens", "12"]
        done = gpt_tui("ask", "什么是水？", *options, *more)
        assert done.code == 0
        return str(done.out)

    assert draw("--seed", 5) == draw("--seed", 5)
    assert len({draw("--seed", seed) for seed in range(4)}) == 4
    assert draw("--seed", 2**70) == draw("--seed", 2**70)
    assert draw("--seed", -3) == draw("--seed=-3")
    assert draw("--top-k", "1") == draw("--top-p", "1e-9"), "both leave the likeliest token only"


def test_ask_takes_its_defaults_from_the_run(gpt_tui: Cli, copied: Path) -> None:
    folder = newest(copied / "checkpoints")[0]
    state, weights, _ = load(folder)
    state["config"]["sampling"].update(max_new_tokens=2)
    save(folder, state, (folder / "tokenizer.json").read_text(encoding="utf-8"), weights)
    assert len(gpt_tui("ask", "什么是水？", "--json").json["tokens"]) == 2
    assert len(gpt_tui("ask", "什么是水？", "--json", "--max-new-tokens", "4").json["tokens"]) == 4


def test_ask_punishes_repetition(gpt_tui: Cli, trained: Path) -> None:
    plain = gpt_tui("ask", "什么是水？").out
    assert gpt_tui("ask", "什么是水？", "--repetition-penalty", "1").out == plain
    assert gpt_tui("ask", "什么是水？", "--repetition-penalty", "10", "--max-new-tokens", "30").out != plain


def test_ask_shows_the_label(gpt_tui: Cli, trained: Path) -> None:
    assert gpt_tui("ask", "猫吃什么？", "--show-label").out == "回答:鱼\n"


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--temperature", "-1"], "sampling.temperature: found -1, allowed: a number from 0 to 10"),
        (["--temperature", "warm"], "sampling.temperature: found 'warm'"),
        (["--temperature", "nan"], "sampling.temperature: found"),
        (["--top-k", "0"], "sampling.top_k: found 0"),
        (["--top-k", "1.5"], "sampling.top_k: found 1.5"),
        (["--top-p", "0"], "sampling.top_p: found 0"),
        (["--top-p", "1.1"], "sampling.top_p: found 1.1"),
        (["--repetition-penalty", "0"], "sampling.repetition_penalty: found 0"),
        (["--max-new-tokens", "0"], "sampling.max_new_tokens: found 0"),
        (["--min-new-tokens", "200"], "min_new_tokens (200) must not be above max_new_tokens (100)"),
        (["--stop", ""], "sampling.stop.0: found ''"),
        (["--top-k", "[1"], "not valid YAML"),
        (["--checkpoint", "worst"], "no checkpoint 'worst'; there are: best, int8, step-00000120, step-00000060"),
        (["--checkpoint", "/"], "no checkpoint '/'"),
        (["--checkpoint", "\x1b[31m"], "no checkpoint '\\x1b[31m'"),
    ],
)
def test_ask_refuses(gpt_tui: Cli, trained: Path, options: list[str], part: str) -> None:
    done = gpt_tui("ask", "?", *options)
    assert done.code == 1
    assert done.out == ""
    assert part in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("which", ["last", "best", "int8", "step-00000060", "path"])
def test_ask_any_checkpoint(gpt_tui: Cli, trained: Path, which: str) -> None:
    name = str(trained / "checkpoints" / "best") if which == "path" else which
    done = gpt_tui("ask", "猫吃什么？", "--run", "tiny", "--checkpoint", name)
    assert (done.code, done.out) == (0, "鱼\n")


def test_ask_a_run_by_its_path(gpt_tui: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPT_TUI_RUNS")
    assert gpt_tui("ask", "猫吃什么？", "--run", trained).out == "鱼\n"
    assert gpt_tui("--runs-dir", trained.parent, "ask", "猫吃什么？").out == "鱼\n"


def test_a_damaged_checkpoint_is_named(gpt_tui: Cli, copied: Path) -> None:
    for name in ("best", "step-00000060", "step-00000120"):
        path = copied / "checkpoints" / name / "model.safetensors"
        data = bytearray(path.read_bytes())
        data[1000] ^= 1
        path.write_bytes(data)
    done = gpt_tui("ask", "?", "--checkpoint", "best")
    assert done.code == 1
    assert re.search(r"best/model\.safetensors: damaged: it does not match its checksum", done.err)
    done = gpt_tui("ask", "?")
    assert done.code == 1
    assert "no whole checkpoint" in done.err
    assert gpt_tui("ask", "猫吃什么？", "--checkpoint", "int8").out == "鱼\n"


def test_the_newest_run_is_asked(gpt_tui: Cli, copied: Path) -> None:
    shutil.copytree(copied, copied.parent / "other")
    os.utime(copied / "metrics.jsonl", (1e9, 1e9))
    (copied.parent / "other" / "checkpoints" / "step-00000120" / "state.json").unlink()
    found = gpt_tui("ask", "猫吃什么？", "--checkpoint", "worst").err
    assert "step-00000120" in found
    os.utime(copied.parent / "other" / "metrics.jsonl", (1e8, 1e8))
    assert gpt_tui("ask", "猫吃什么？").out == "鱼\n"


def test_questions_are_cleaned_as_in_training(gpt_tui: Cli, trained: Path) -> None:
    for question in (" 什么是水？ ", "什么是水?", "什 么 是 水 ？"):
        assert gpt_tui("ask", question).out == "水是由氢和氧组成的物质。\n"


HOSTILE = "\x1b]52;c;eA==\x07\x9b2J\u202e\u2066\r"


def test_hostile_questions_reach_no_terminal(gpt_tui: Cli, trained: Path) -> None:
    options = [
        "--temperature",
        "10",
        "--seed",
        "3",
        "--max-new-tokens",
        "60",
        "--min-new-tokens",
        "60",
        "--stop",
        "@@@",
    ]
    for question in (HOSTILE, "<eos><bos>", "\udcff", "", "x" * 20_000):
        for form in ([], ["--json"]):
            assert gpt_tui("ask", question, *options, *form).code == 0  # the fixture looks at the output


def test_an_answer_with_control_characters_is_shown_escaped(gpt_tui: Cli, copied: Path, helpers: Any) -> None:
    """A model that has learnt escape sequences by heart must not be able to send them."""
    evil = helpers.write_rows(copied.parent / "evil.jsonl", {"攻击？": "a\x1b[31mb\u202ec\td"})
    done = gpt_tui("--no-ui", "train", "--data", evil, "--valid", evil, "--run", "evil", "--steps", "80", *helpers.tiny)
    assert done.code == 0
    assert "a\\x1b[31mb\\u202ec" in done.out or "1 of 1 exact" in done.out
    assert gpt_tui("ask", "攻击？", "--run", "evil").out == "a\\x1b[31mb\\u202ec\td\n"
    done = gpt_tui("ask", "攻击？", "--run", "evil", "--json")
    assert "\\u001b[31m" in done.out
    assert "\\u202e" in done.out
    assert done.json["text"] == "a\x1b[31mb\u202ec\td"
    done = gpt_tui("eval", "--run", "evil", "--show")
    assert "a\\x1b[31mb\\u202ec\\td" in done.out


# -- chat -----------------------------------------------------------------------------------------------------


def test_chat_answers_a_line_for_a_line(gpt_tui: Cli, trained: Path) -> None:
    done = gpt_tui("--no-ui", "chat", stdin="猫吃什么？\n\n   \n天空是什么颜色？\r\n谁写软件？")
    assert (done.code, done.out, done.err) == (0, "鱼\n蓝色\n用户\n", "")


def test_chat_as_json(gpt_tui: Cli, trained: Path) -> None:
    done = gpt_tui("chat", "--json", "--no-ui", stdin="猫吃什么？\n天空是什么颜色？\n")
    assert [line["text"] for line in done.lines] == ["鱼", "蓝色"]
    assert all({"text", "stop_reason", "tokens", "tokens_per_second"} <= set(line) for line in done.lines)


def test_questions_from_a_file_that_windows_saved(gpt_tui: Cli, trained: Path) -> None:
    first, second = gpt_tui("chat", "--json", "--no-ui", stdin="\ufeff猫吃什么？\n猫吃什么？\n").lines
    assert first["prompt_tokens"] == second["prompt_tokens"], "the byte order mark was asked, too"


def test_chat_takes_the_options_of_ask(gpt_tui: Cli, trained: Path) -> None:
    done = gpt_tui("chat", "--show-label", "--max-new-tokens", "1", "--checkpoint", "best", stdin="一加一等于几？\n")
    assert done.out == "回答:2\n"
    assert gpt_tui("chat", "--top-p", "2", stdin="?\n").code == 1


def test_chat_without_questions(gpt_tui: Cli, trained: Path) -> None:
    done = gpt_tui("chat", stdin="")
    assert (done.code, done.out, done.err) == (0, "", "")


# -- eval -----------------------------------------------------------------------------------------------------


def test_eval_as_json(gpt_tui: Cli, trained: Path, qa: Path) -> None:
    wanted = {"exact": 12, "contains": 0, "miss": 0, "total": 12, "exact_rate": 1.0, "majority_rate": 1 / 12}
    for arguments in ([], ["--data", qa], ["--checkpoint", "int8"], ["--run", "tiny", "--checkpoint", "best"]):
        found = gpt_tui("eval", "--json", *arguments).json
        low, high = found.pop("ci95")
        assert found == pytest.approx(wanted)
        assert (low, high) == pytest.approx((0.7575, 1.0), abs=1e-4)


def test_eval_grades_and_sorts_by_kind(gpt_tui: Cli, trained: Path, tmp_path: Path) -> None:
    rows = [
        {"prompt": "猫吃什么？", "completion": "鱼", "kind": "fact"},
        {"query": "什么是水？", "answer": "氢和氧", "kind": "fact"},
        {"instruction": "谁写软件？", "output": "鱼", "kind": "\x1b[31mout\u202e"},
        {"instruction": "谁写软件？", "output": "鱼", "kind": "\x1b[31mout\u202e"},
        {"text": "没有问题"},
    ]
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    found = gpt_tui("eval", "--data", path, "--json", "--show").json
    assert [found[key] for key in ("exact", "contains", "miss", "total")] == [1, 1, 1, 3], "a row twice counts once"
    assert found["majority_rate"] == pytest.approx(2 / 3)
    assert found["by_kind"]["fact"]["exact_rate"] == 0.5
    rows = {row["prompt"]: row for row in found["rows"]}
    assert rows["什么是水？"] == {
        "prompt": "什么是水？", "expected": "氢和氧", "answer": "水是由氢和氧组成的物质。", "verdict": "CONTAINS",
    }  # fmt: skip
    assert {row["verdict"] for row in rows.values()} == {"EXACT", "CONTAINS", "MISS"}
    plain = gpt_tui("eval", "--data", path)
    assert plain.err == ""
    assert re.search(r"^all +1 +1 +1 +3 +33\.3 %", plain.out, re.MULTILINE)
    assert re.search(r"^  \\x1b\[31mout\\u202e +0 +0 +1 +1 +0\.0 %", plain.out, re.MULTILINE)
    assert "猫吃什么" not in plain.out
    assert gpt_tui("--lang", "zh", "eval", "--data", path).out.split()[:4] == ["完全答对", "包含", "答错", "条"]
    assert "完全答对 猫吃什么？" in gpt_tui("--lang", "zh", "eval", "--data", path, "--show").out
    shown = gpt_tui("eval", "--data", path, "--show").out
    assert "EXACT    猫吃什么？\n         expected: 鱼\n" in shown
    assert "CONTAINS 什么是水？\n         expected: 氢和氧\n         answer: 水是由氢和氧组成的物质。\n" in shown


def test_eval_without_anything_to_ask(gpt_tui: Cli, copied: Path, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("只是文本", encoding="utf-8")
    done = gpt_tui("eval", "--data", tmp_path / "x.txt")
    assert done.code == 1
    assert "no question with an answer in it" in done.err


def test_eval_of_a_run_without_validation_rows(gpt_tui: Cli, copied: Path) -> None:
    folder = copied / "checkpoints" / "best"
    state, weights, _ = load(folder)
    state["config"]["data"] |= {"valid": None, "valid_fraction": 0.0}
    save(folder, state, (folder / "tokenizer.json").read_text(encoding="utf-8"), weights)
    done = gpt_tui("eval", "--checkpoint", "best")
    assert done.code == 1
    assert done.err == "gpt-tui: this run has no validation file; name one with --data FILE\n"


def test_eval_and_compare_of_a_run_whose_validation_rows_were_split_off(
    gpt_tui: Cli, tmp_path: Path, helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A student's own data: one file. Both asked for another one, though rows had been held out."""
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "own.jsonl"
    rows = [json.dumps({"prompt": f"第{n}题？", "completion": f"答{n}"}, ensure_ascii=False) for n in range(40)]
    own.write_text("\n".join(rows), encoding="utf-8")
    for name in ("a", "b"):
        assert gpt_tui("--no-ui", "train", "--data", own, "--run", name, "--steps", 2, *helpers.tiny).code == 0
    assert gpt_tui("eval", "--run", "a", "--json").json["total"] == 4
    found = gpt_tui("compare", "a", "b", "--json").json
    assert (found["a"]["total"], found["trained_on"]) == (4, [])
    own.write_text("\n".join(rows[::-1]), encoding="utf-8")
    assert gpt_tui("eval", "--run", "a").err.startswith(f"gpt-tui: {own}: has changed since the run was trained on it")


# -- doctor ---------------------------------------------------------------------------------------------------


@pytest.fixture
def messy(tmp_path: Path) -> tuple[Path, Path]:
    """Rows twice, a question with two answers, one too long to fit; and a file that shares two rows with it."""
    rows = [
        ("一？", "1"),
        ("一？", "1"),
        (" 一 ?", "1"),
        ("二？", "2"),
        ("二？", "7"),
        ("三？", "3" * 3000),
        ("长" * 3000, "4"),
    ]
    paths = []
    for name, part in (("train.jsonl", rows), ("valid.jsonl", [*rows[2:4], ("五？", "5")])):
        path = tmp_path / name
        path.write_text("".join(json.dumps({"prompt": p, "completion": c, "fact": p[:1]}) + "\n" for p, c in part))
        paths.append(path)
    return paths[0], paths[1]


def test_doctor_as_json(gpt_tui: Cli, messy: tuple[Path, Path]) -> None:
    found = gpt_tui("doctor", *messy, "--json").json
    first, second = found["files"]
    assert first["file"] == str(messy[0])
    assert {key: first[key] for key in ("rows", "unique", "duplicates", "most_repeated", "conflicting_questions")} == {
        "rows": 7, "unique": 5, "duplicates": 2, "most_repeated": 3, "conflicting_questions": 1,
    }  # fmt: skip
    assert (first["tokens"]["lost"], first["tokens"]["cut"], first["tokens"]["rows"]) == (1, 1, 6)
    assert first["tokens"]["lost_where"] == [f"{messy[0]}:6"]
    assert first["tokens"]["supervised_tokens"] == 12
    assert set(first["tokens"]["length"]) == {"min", "p50", "p90", "p99", "max"}
    assert 0.0 <= first["tokens"]["padding_share"] < 1.0
    assert second["rows"] == 3
    assert found["overlaps"] == [{"first": str(messy[0]), "second": str(messy[1]), "rows": 2}]
    assert found["vocab_size"] > 259


def test_doctor_in_words_marks_what_wants_attention(gpt_tui: Cli, messy: tuple[Path, Path]) -> None:
    done = gpt_tui("doctor", *messy)
    assert (done.code, done.err) == (0, "")
    marked = [line for line in done.out.splitlines() if line.startswith("!")]
    assert "! 2 exact duplicates (one row stands there 3 times)" in marked
    assert "! 1 questions with more than one answer" in marked
    assert "! 1 rows left out: the answer alone is too long" in marked
    assert f"! 2 rows of {messy[1]} also stand in {messy[0]}" in marked
    assert len(marked) == 5


def test_doctor_of_good_data_marks_nothing(gpt_tui: Cli, qa: Path) -> None:
    done = gpt_tui("doctor", qa)
    assert "!" not in done.out
    assert "12 rows, 12 unique" in done.out


def test_doctor_finds_bundled_files(gpt_tui: Cli) -> None:
    found = gpt_tui("doctor", "teacher/train.jsonl", "teacher/valid.jsonl", "--json").json
    assert [file["duplicates"] for file in found["files"]] == [0, 0]
    assert found["overlaps"][0]["rows"] == 0


def test_doctor_shows_hostile_file_names_harmless(gpt_tui: Cli, tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_rows(tmp_path / "a\x1b[31m\u202e.jsonl", {"一？": "1"})
    for form in ([], ["--json"]):
        done = gpt_tui("doctor", path, path, *form)
        assert done.code == 0
        assert "x1b[31m" in done.out or "u001b[31m" in done.out


# -- params ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sets", "total"),
    [
        (["tokenizer.vocab_size=824"], 3_368_192),
        (["tokenizer.vocab_size=1278", "model.n_layer=12", "model.n_head=12", "model.n_embd=768", "model.mlp=swiglu",
          "model.mlp_hidden=2048"], None),
        (["tokenizer.vocab_size=50257", "model.n_layer=12", "model.n_head=12", "model.n_embd=768", "model.seq_len=1024",
          "model.norm=layernorm", "model.mlp=gelu", "model.position=learned"], 124_439_808),
        (["tokenizer.vocab_size=50257", "model.n_layer=2", "model.n_head=4", "model.n_embd=64", "model.norm=layernorm",
          "model.mlp=gelu", "model.position=learned", "model.tie_embeddings=false"], None),
    ],
)  # fmt: skip
def test_params_as_json(gpt_tui: Cli, sets: list[str], total: int | None) -> None:
    found = gpt_tui("params", "--json", *[f"--set={item}" for item in sets]).json
    assert set(found) == {"total", "learning", "by_part", "bytes"}
    assert found["total"] == found["learning"] == sum(found["by_part"].values())
    assert set(found["by_part"]) == {"embedding", "position", "attention", "mlp", "norm", "head"}
    n = found["total"]
    assert found["bytes"] == {"fp32": 4 * n, "bf16": 2 * n, "int8": n, "adam_fp32": 8 * n}
    if total is not None:
        assert n == total


def test_params_in_words(gpt_tui: Cli) -> None:
    done = gpt_tui("params", "--set", "tokenizer.vocab_size=824")
    assert done.out.startswith("teacher: 4 layers, 4 heads, width 256, vocabulary 824\n")
    assert re.search(r"^total +3,368,192 +100\.0 %$", done.out, re.MULTILINE)
    assert re.search(r"^weights fp32 +12\.85 MiB +13\.5 MB$", done.out, re.MULTILINE)
    assert "position" not in done.out


def test_params_of_a_recipe_file(gpt_tui: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("model:\n  n_layer: 1\n", encoding="utf-8")
    assert gpt_tui("params", "--recipe", tmp_path / "mine.yaml").out.startswith("mine: 1 layers")


# -- tokenizer ------------------------------------------------------------------------------------------------


def test_tokenizer_build_and_inspect(gpt_tui: Cli, qa: Path) -> None:
    done = gpt_tui("tokenizer", "build", qa, "--out", "sub/t.json", "--vocab-size", "300")
    assert (done.code, done.out, done.err) == (0, "sub/t.json: 300 tokens\n", "")
    assert Tokenizer.load(Path("sub/t.json")).vocab_size == 300
    text = "什么是水？ hello 🐋\x1b[31m"
    found = gpt_tui("tokenizer", "inspect", text, "--file", "sub/t.json", "--json").json
    assert found["vocab_size"] == 300
    assert found["ids"] == Tokenizer.load(Path("sub/t.json")).encode(text)
    assert len(found["tokens"]) == len(found["ids"])
    out = gpt_tui("tokenizer", "inspect", text, "--file", "sub/t.json").out.splitlines()
    assert out[0].count(" | ") == len(found["ids"]) - 1
    assert out[0].endswith("\\x1b | [ | 3 | 1 | m")
    assert out[1].split() == [str(i) for i in found["ids"]]
    assert out[2] == f"{len(found['ids'])} tokens for {len(text)} characters; read back exactly: yes"


def test_tokenizer_says_when_it_comes_out_smaller(gpt_tui: Cli, qa: Path) -> None:
    out = gpt_tui("tokenizer", "build", qa, "--vocab-size", "3000").out
    size = Tokenizer.load(Path("tokenizer.json")).vocab_size
    assert out.splitlines() == [
        f"tokenizer.json: {size} tokens",
        "that is fewer than the 3000 asked for: the text has no more pairs to merge",
    ]


def test_tokenizer_replaces_a_vocabulary_and_nothing_else(gpt_tui: Cli, qa: Path) -> None:
    before = qa.read_bytes()
    done = gpt_tui("tokenizer", "build", qa, "--out", qa)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"gpt-tui: {qa}: exists already and is no vocabulary; --force replaces it\n"
    assert qa.read_bytes() == before
    for size in (260, 270):
        assert gpt_tui("tokenizer", "build", qa, "--vocab-size", size).out == f"tokenizer.json: {size} tokens\n"
    Path("tokenizer.json").write_text("notes", encoding="utf-8")
    assert gpt_tui("tokenizer", "build", qa, "--force").code == 0


def test_tokenizer_of_a_run(gpt_tui: Cli, trained: Path) -> None:
    for arguments in ([], ["--run", "tiny"], ["--runs-dir", trained.parent]):
        lines = gpt_tui("tokenizer", "inspect", *arguments).out.splitlines()
        assert len(lines) == 320
        assert lines[0].split() == ["0", "<pad>"]
    assert any("\\x1b" in line for line in lines), "the escape byte is a token like any other"


def test_tokenizer_inspect_refuses_what_is_none(gpt_tui: Cli, qa: Path) -> None:
    done = gpt_tui("tokenizer", "inspect", "x", "--file", qa)
    assert done.code == 1
    assert "qa.jsonl: not a tokenizer" in done.err


# -- runs -----------------------------------------------------------------------------------------------------


def parameters(run: Path) -> int:
    """Counted in the checkpoint."""
    return sum(tensor.numel() for tensor in load(run / "checkpoints" / "best")[1].values())


def test_runs_as_json(gpt_tui: Cli, trained: Path) -> None:
    (found,) = gpt_tui("runs", "--json").json
    assert found == {
        "run": "tiny", "state": "finished", "recipe": "teacher", "parameters": parameters(trained), "steps": 120,
        "best_loss": found["best_loss"], "train_seconds": found["train_seconds"], "exact_rate": 1.0,
    }  # fmt: skip
    assert 0 < found["best_loss"] < 0.1
    assert gpt_tui("runs", "list", "--json").json == [found]
    shown = gpt_tui("runs", "show", "tiny", "--json").json
    assert {key: shown[key] for key in found} == found
    assert shown["report"]["steps"] == 120
    assert shown["settings"]["model"]["n_embd"] == 32


def test_runs_in_words(gpt_tui: Cli, trained: Path) -> None:
    head, row = gpt_tui("runs").out.splitlines()
    assert head.split() == ["run", "state", "recipe", "parameters", "steps", "best", "loss", "exact", "time"]
    assert row.split()[:5] == ["tiny", "finished", "teacher", f"{parameters(trained):,}", "120"]
    assert row.split()[6:8] == ["100.0", "%"]
    done = gpt_tui("runs", "show")
    assert "checkpoints: step-00000120, step-00000060, best, int8" in done.out
    assert "n_embd: 32" in done.out


def test_runs_that_stopped_early_or_are_damaged_are_listed(gpt_tui: Cli, copied: Path) -> None:
    (copied / "report.json").unlink()
    (found,) = gpt_tui("runs", "--json").json
    assert (found["state"], found["steps"], found["parameters"]) == ("stopped", 120, parameters(copied))
    with open(copied / "config.yaml", "a", encoding="utf-8") as file:
        file.write("\x00\n")
    (found,) = gpt_tui("runs", "--json").json
    assert (found["run"], found["state"]) == ("tiny", "damaged")
    assert "config.yaml" in found["problem"]
    assert "damaged" in gpt_tui("runs").out
    done = gpt_tui("runs", "show", "tiny")
    assert done.code == 1
    assert "config.yaml" in done.err


@pytest.mark.parametrize(
    "report",
    [
        {"steps": HOSTILE, "parameters": HOSTILE, "best_loss": HOSTILE, "train_seconds": HOSTILE},
        {"steps": [1], "parameters": {}, "best_loss": True, "train_seconds": "1"},
        {"exact": HOSTILE, "probes": HOSTILE},
        {"exact": {"valid": HOSTILE}, "probes": [HOSTILE, {}, {"prompt": HOSTILE, "answer": 3}]},
        {"exact": {"train": {"exact_rate": HOSTILE}}, "probes": {"prompt": 1}},
        {"steps": 10**400, "best_loss": 1e308, "train_seconds": -5, "parameters": 1.5},
    ],
)
def test_reports_that_others_wrote_do_no_harm(gpt_tui: Cli, copied: Path, report: dict[str, Any]) -> None:
    (copied / "report.json").write_text(json.dumps(report), encoding="utf-8")
    for arguments in (["runs"], ["runs", "--json"], ["runs", "show"], ["runs", "show", "--json"]):
        assert gpt_tui(*arguments).code == 0


def test_reports_with_nan_do_not_make_broken_json(gpt_tui: Cli, copied: Path) -> None:
    (copied / "report.json").write_text('{"best_loss": NaN, "steps": Infinity}', encoding="utf-8")
    (found,) = gpt_tui("runs", "--json").json
    assert (found["best_loss"], found["steps"]) == (None, None)


def test_metrics_that_others_wrote_do_no_harm(gpt_tui: Cli, copied: Path) -> None:
    (copied / "report.json").unlink()
    step = {"kind": "step", "step": HOSTILE, "loss": 1, "lr": 1, "grad_norm": 1, "tokens_per_second": 1, "eta": 1}
    lines = [{**step, "elapsed": HOSTILE}, {"kind": "eval", "step": 1, "loss": 1, "best": None}]
    (copied / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    for arguments in (["runs"], ["runs", "--json"]):
        done = gpt_tui(*arguments)
        assert done.code == 0
    assert done.json[0]["best_loss"] is None


def test_hostile_names_of_runs_are_shown_harmless(gpt_tui: Cli, copied: Path) -> None:
    name = "a\x1b[31m\u202e"
    shutil.copytree(copied, copied.parent / name)
    for arguments in (["runs"], ["runs", "--json"], ["runs", "show", name], ["runs", "show", name, "--json"]):
        done = gpt_tui(*arguments)
        assert done.code == 0
        assert "x1b[31m" in done.out or "u001b[31m" in done.out
    assert "there are: a\\x1b[31m\\u202e" in gpt_tui("ask", "?", "--run", "none").err.replace("tiny, ", "")
    done = gpt_tui("runs", "delete", name, "--yes")
    assert done.code == 0
    assert not (copied.parent / name).exists()


def test_hostile_settings_are_shown_harmless(gpt_tui: Cli, copied: Path) -> None:
    text = (copied / "config.yaml").read_text(encoding="utf-8")
    text = re.sub("^description:.*$", 'description: "a\\\\e[31m\\\\u202e"', text, flags=re.MULTILINE)
    (copied / "config.yaml").write_text(text, encoding="utf-8")
    assert "\\u202e" in gpt_tui("runs", "show", "tiny").out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["list", "tiny"], "runs list tiny: a list takes no name; one run: gpt-tui runs show tiny"),
        (["--csv", "x.csv"], "--csv: only for gpt-tui runs export RUN"),
        (["export", "tiny", "--csv", "x.csv", "--json"], "--csv and --json exclude each other"),
    ],
)
def test_options_that_would_be_passed_over_are_refused(
    gpt_tui: Cli, trained: Path, arguments: list[str], error: str
) -> None:
    done = gpt_tui("runs", *arguments)
    assert (done.code, done.out, done.err) == (1, "", f"gpt-tui: {error}\n")
    assert not Path("x.csv").exists()


def test_deleting_what_the_system_keeps(gpt_tui: Cli, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", "metrics.jsonl")

    monkeypatch.setattr("core.runs.remove_tree", refuse)
    done = gpt_tui("runs", "delete", "tiny", "--yes")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"gpt-tui: {copied}: cannot be deleted: Permission denied\n"


def test_deleting_a_run(gpt_tui: Cli, copied: Path) -> None:
    done = gpt_tui("runs", "delete", "tiny")
    assert done.code == 1
    assert "tiny: add --yes to delete it without being asked" in done.err
    lock = FolderLock(copied / "lock")
    lock.acquire()
    done = gpt_tui("runs", "delete", "tiny", "--yes")
    lock.release()
    assert done.code == 1
    assert "a training is writing to it; stop it first" in done.err
    assert copied.exists()
    done = gpt_tui("runs", "delete", "tiny", "--yes")
    assert (done.code, done.out) == (0, f"deleted: {copied}\n")
    assert not copied.exists()
    assert copied.parent.exists()


@pytest.mark.parametrize(("typed", "gone"), [("y\n", True), ("是\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_deleting_asks(gpt_tui: Cli, copied: Path, monkeypatch: pytest.MonkeyPatch, typed: str, gone: bool) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Keyboard(typed))
    assert cli.main(["--lang", "en", "runs", "delete", "tiny"]) == (0 if gone else 1)
    assert copied.exists() is not gone


def test_a_folder_that_init_made_is_not_deleted(gpt_tui: Cli) -> None:
    assert gpt_tui("init", "mine").code == 0
    for name in ("mine", "."):
        shutil.copy("mine/config.yaml", "config.yaml")
        done = gpt_tui("runs", "delete", name, "--yes")
        assert done.code == 1
        assert "nothing in it comes from a training" in done.err
    assert Path("mine/data/teacher/train.jsonl").exists()


# -- init -----------------------------------------------------------------------------------------------------


def test_init_writes_what_a_class_edits(gpt_tui: Cli, helpers: Any) -> None:
    done = gpt_tui("init", "class")
    assert done.code == 0
    assert done.out.splitlines() == [
        "written: class/config.yaml",
        "written: class/data/teacher/train.jsonl",
        "written: class/data/teacher/valid.jsonl",
        "now: cd class && gpt-tui --no-ui train",
    ]
    for name in ("config.yaml", "data/teacher/train.jsonl", "data/teacher/valid.jsonl"):
        assert (Path("class") / name).read_bytes() == (helpers.root / name).read_bytes()


def test_init_keeps_what_is_there(gpt_tui: Cli) -> None:
    Path("class").mkdir()
    Path("class/config.yaml").write_text("mine")
    done = gpt_tui("init", "class")
    assert done.out.splitlines()[0] == "kept: class/config.yaml"
    assert Path("class/config.yaml").read_text() == "mine"


def test_init_where_it_cannot_write(gpt_tui: Cli) -> None:
    Path("file").write_text("x")
    done = gpt_tui("init", "file")
    assert done.code == 1
    assert re.fullmatch(r"gpt-tui: file/config\.yaml: cannot be written: (File exists|Not a directory)\n", done.err)


def test_init_with_a_hostile_name(gpt_tui: Cli) -> None:
    assert gpt_tui("init", "a\x1b[31m\u202e").out.count("a\\x1b[31m\\u202e") == 4
