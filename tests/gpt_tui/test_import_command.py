"""``gpt-tui import`` from outside: a run that all other commands take, or one line and no trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.tokenizer import Tokenizer, train_bpe

Cli = Callable[..., Any]
WIDTH, LAYERS, CONTEXT = 16, 2, 64


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train_bpe(iter(["什么是水？水是由氢和氧组成的物质。hello world"] * 3), 300)


@pytest.fixture
def folder(tmp_path: Path, tokenizer: Tokenizer) -> Path:
    """A GPT-2 in Hugging Face's files, written without its library: two blocks of random numbers."""
    torch.manual_seed(0)
    path = tmp_path / "hf"
    path.mkdir()
    shape = {
        "n_layer": LAYERS,
        "n_head": 2,
        "n_embd": WIDTH,
        "n_positions": CONTEXT,
        "vocab_size": tokenizer.vocab_size,
    }
    (path / "config.json").write_text(json.dumps({"model_type": "gpt2", **shape}), encoding="utf-8")
    (path / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
    state = {"wte.weight": torch.randn(tokenizer.vocab_size, WIDTH), "wpe.weight": torch.randn(CONTEXT, WIDTH)}
    for name, shape_in in (("attn.c_attn", (WIDTH, 3 * WIDTH)), ("attn.c_proj", (WIDTH, WIDTH)),
                           ("mlp.c_fc", (WIDTH, 4 * WIDTH)), ("mlp.c_proj", (4 * WIDTH, WIDTH))):  # fmt: skip
        for layer in range(LAYERS):
            state[f"h.{layer}.{name}.weight"] = torch.randn(*shape_in) * 0.1
            state[f"h.{layer}.{name}.bias"] = torch.zeros(shape_in[1])
    for name in ("h.0.ln_1", "h.0.ln_2", "h.1.ln_1", "h.1.ln_2", "ln_f"):
        state[f"{name}.weight"], state[f"{name}.bias"] = torch.ones(WIDTH), torch.zeros(WIDTH)
    torch.save(state, path / "pytorch_model.bin")
    return path


def test_every_command_takes_an_imported_run(gpt_tui: Cli, folder: Path, qa: Path) -> None:
    done = gpt_tui("import", "gpt2", folder, "--run", "small")
    assert (done.code, done.out.splitlines()[0]) == (0, "imported as small: 12,416 parameters")
    assert "saved last at step 0" in done.err and "int8: " in done.err
    shown = gpt_tui("runs", "show", "small")
    assert f"imported from: {folder}" in shown.out and "pytorch_model.bin" in shown.out
    assert gpt_tui("runs", "--json").json[0]["parameters"] == 12_416
    for checkpoint in ("last", "int8"):
        asked = gpt_tui("ask", "水", "--run", "small", "--checkpoint", checkpoint, "--max-new-tokens", 4, "--json")
        assert asked.code == 0 and len(asked.json["tokens"]) >= 4
    assert gpt_tui("chat", "--no-ui", "--run", "small", "--max-new-tokens", 3, stdin="水\n").code == 0
    assert gpt_tui("eval", "--run", "small", "--data", qa, "--json").json["total"] == 12
    assert gpt_tui("eval", "--run", "small").err == (
        "gpt-tui: this run has no validation file; name one with --data FILE\n"
    )
    assert gpt_tui("compare", "small", "small:int8", "--data", qa).code == 0
    assert gpt_tui("tokenizer", "inspect", "水", "--run", "small").code == 0
    assert gpt_tui("plot", "small").code == 1
    assert gpt_tui("--no-ui", "train", "--resume", "small").err.count("was imported") == 1
    assert gpt_tui("runs", "delete", "small", "--yes").code == 0


def test_training_goes_on_from_an_imported_run(gpt_tui: Cli, folder: Path, qa: Path) -> None:
    gpt_tui("import", "gpt2", folder, "--run", "small")
    done = gpt_tui(
        "--no-ui", "train", "--from", "small", "--run", "tuned", "--data", qa, "--steps", 2, "--set=training.threads=1",
        "--set=training.int8=false", "--set=training.figures=false", "--set=training.device=cpu",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "beginning with the weights of small, step-00000000 (step 0)" in done.out
    report = gpt_tui("runs", "show", "tuned", "--json").json["report"]
    assert (report["start"]["run"], report["steps"]) == ("small", 2)


def test_as_json(gpt_tui: Cli, folder: Path) -> None:
    done = gpt_tui("import", "gpt2", folder, "--json", "--runs-dir", "elsewhere")
    assert (done.json["run"], done.json["report"]["imported"]["kind"]) == ("gpt2-2x16", "gpt2")
    assert Path("elsewhere/gpt2-2x16/config.yaml").is_file()


def test_a_seed_s_file(gpt_tui: Cli, tmp_path: Path, tokenizer: Tokenizer) -> None:
    names = {"attn.qkv": (3 * WIDTH, WIDTH), "attn.proj": (WIDTH, WIDTH), "mlp.fc1": (4 * WIDTH, WIDTH),
             "mlp.fc2": (WIDTH, 4 * WIDTH)}  # fmt: skip
    state = {"tok_emb.weight": torch.randn(tokenizer.vocab_size, WIDTH), "norm.weight": torch.ones(WIDTH)}
    state["head.weight"] = state["tok_emb.weight"]
    for name, shape in names.items():
        state |= {f"blocks.0.{name}.weight": torch.randn(*shape), f"blocks.0.{name}.bias": torch.zeros(shape[0])}
    state |= {f"blocks.0.norm{i}.weight": torch.ones(WIDTH) for i in (1, 2)}
    cfg = {"model": {"n_layer": 1, "n_head": 2, "n_embd": WIDTH, "seq_len": 64, "dropout": 0.0}}
    torch.save({"model": state, "cfg": cfg}, tmp_path / "last.pt")
    done = gpt_tui("import", "seed", tmp_path / "last.pt")
    assert done.code == 1
    assert "no tokenizer.json beside the checkpoint; name the one it was trained with: --tokenizer FILE" in done.err
    (tmp_path / "words.json").write_text(tokenizer.to_json(), encoding="utf-8")
    done = gpt_tui("import", "seed", tmp_path / "last.pt", "--tokenizer", tmp_path / "words.json", "--run", "old")
    assert done.code == 0, done.err
    assert gpt_tui("ask", "什么是水？", "--run", "old", "--max-new-tokens", 5).code == 0


class Attack:
    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


def test_a_hostile_file_is_one_line_and_no_trace(gpt_tui: Cli, folder: Path, tmp_path: Path) -> None:
    torch.save({"model": Attack(), "cfg": {}}, tmp_path / "last.pt")
    torch.save({"wte.weight": Attack()}, folder / "pytorch_model.bin")
    for arguments in (("seed", tmp_path / "last.pt"), ("gpt2", folder)):
        done = gpt_tui("import", *arguments, "--run", "x")
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert "refused, as only weights are read and no program is run: it names posix.mkdir" in done.err or (
            "nt.mkdir" in done.err
        )
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["gpt2", "nothere"], 1, "gpt-tui: nothere: no such folder\n"),
        (["seed", "nothere.pt"], 1, "gpt-tui: nothere.pt: no such file\n"),
        (["gpt2", ".", "--run", "a/b"], 1, "a run's name is letters"),
        (["gpt2"], 2, "the following arguments are required: DIR|SIZE"),
        (["pdf"], 2, "invalid choice: 'pdf'"),
        ([], 2, "the following arguments are required: KIND"),
    ],
    ids=str,
)
def test_wrong_usage(gpt_tui: Cli, arguments: list[str], code: int, message: str) -> None:
    done = gpt_tui("import", *arguments)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert list(Path().iterdir()) == []


def test_a_name_that_is_taken_is_said_before_anything_is_read(gpt_tui: Cli, folder: Path) -> None:
    assert gpt_tui("import", "gpt2", folder, "--run", "a").code == 0
    done = gpt_tui("import", "gpt2", "nothere", "--run", "a")
    assert done.code == 1 and "there is something of this name already" in done.err


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM")
def test_sigterm_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    """Stopped between the two checkpoints."""
    code = (
        "import sys, core.interop.install as install\n"
        "def wait(*_):\n"
        "    print('half', flush=True)\n"
        "    sys.stdin.read()\n"
        "install.quantize_weights = wait\n"
        "from gpt_tui.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "import", "gpt2", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == b"half\n"
        assert len(list((tmp_path / "runs").iterdir())) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
        assert list((tmp_path / "runs").iterdir()) == []
    finally:
        process.kill()
        process.communicate()
