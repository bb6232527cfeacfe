"""What ``transformers`` makes of an exported folder, against this program."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from core.dataset import encode_prompt
from core.errors import UserError
from core.generate import answer, prompt_room
from core.interop.architectures import architecture_of
from core.interop.hf_export import FILES, export_hf
from core.records import Turn
from core.runs import LoadedModel
from core.schema import ModelConfig
from core.template import TEMPLATES
from core.tokenizer import Tokenizer, train_char

from .conftest import SHAPES, TEXTS, MakeRun

transformers = pytest.importorskip("transformers", reason="transformers is in the test extra")


def opened(folder: Path) -> tuple[Any, Any]:
    """The model and the tokenizer, from the folder alone."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    return model.eval(), transformers.AutoTokenizer.from_pretrained(folder)


def prompt_ids(loaded: LoadedModel, question: str, history: tuple[Turn, ...] = (), system: str = "") -> list[int]:
    template = TEMPLATES[loaded.config.data.template]
    room = prompt_room(loaded.config.model.seq_len, loaded.config.sampling.max_new_tokens)
    return encode_prompt(question, loaded.tokenizer, template, room, history, system)


@pytest.mark.parametrize("shape", SHAPES)
@torch.inference_mode()
def test_logits_and_greedy_text_are_the_same(make_run: MakeRun, tmp_path: Path, shape: str) -> None:
    run, loaded = make_run(SHAPES[shape])
    assert export_hf(run, loaded, tmp_path / "out").name == shape.split()[0]
    model, tokenizer = opened(tmp_path / "out")
    assert type(model).__name__ == shape.split()[0]
    tokens = torch.randint(3, 300, (2, 40), generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(model(tokens).logits, loaded.model.logits(loaded.model(tokens)), atol=1e-4, rtol=0)

    messages = [{"role": "user", "content": "猫吃什么？"}]
    inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    assert inputs["input_ids"][0].tolist() == prompt_ids(loaded, "猫吃什么？")
    out = model.generate(**inputs)[0, inputs["input_ids"].shape[1] :]
    assert tokenizer.decode(out, skip_special_tokens=True) == answer(loaded, "猫吃什么？").text


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_chat_template_is_the_prompt(make_run: MakeRun, tmp_path: Path, template: str) -> None:
    run, loaded = make_run({"data.template": template, "model.seq_len": 512})
    export_hf(run, loaded, tmp_path / "out")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    messages = [
        {"role": "system", "content": "简短"},
        {"role": "user", "content": " 什么是 水 ? "},
        {"role": "assistant", "content": "水是H2O。"},
        {"role": "user", "content": "hello  it's?"},
    ]
    question, history = messages[1]["content"], (Turn(" 什么是 水 ? ", completion="水是H2O。"),)

    def rendered(chosen: list[dict[str, str]]) -> Any:
        return tokenizer.apply_chat_template(chosen, add_generation_prompt=True)["input_ids"]

    assert rendered(messages[1:2]) == prompt_ids(loaded, question)
    assert rendered(messages[:2]) == prompt_ids(loaded, question, (), "简短")
    assert rendered(messages[1:]) == prompt_ids(loaded, "hello  it's?", history)
    assert rendered(messages) == prompt_ids(loaded, "hello  it's?", history, "简短")


@pytest.mark.parametrize("kind", ["bpe", "char"])
def test_text_becomes_the_same_tokens_and_comes_back(
    make_run: MakeRun, tmp_path: Path, vocabulary: Tokenizer, kind: str
) -> None:
    ours = vocabulary if kind == "bpe" else train_char(iter(TEXTS), 300)
    run, loaded = make_run({"tokenizer.kind": kind, "data.template": "plain"}, tokenizer=ours)
    export_hf(run, loaded, tmp_path / "out")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    for text in ("猫吃鱼。\n hello  world", "鲸🐋 né", " \n\n\t12:30 it's", ""):
        assert theirs(text)["input_ids"] == ours.encode(text)
        assert theirs.decode(ours.encode(text), skip_special_tokens=True) == ours.decode(ours.encode(text))
    assert (theirs.bos_token_id, theirs.eos_token_id, theirs.pad_token_id) == (ours.bos, ours.eos, ours.pad)
    assert len(theirs) == ours.vocab_size


def test_the_answer_ends_where_it_ends_here(make_run: MakeRun, tmp_path: Path) -> None:
    """generation_config.json: end token, lengths, penalty, and how it draws."""
    run, loaded = make_run({
        "sampling.temperature": 0.7, "sampling.top_k": 5, "sampling.top_p": 0.9, "sampling.min_new_tokens": 3,
        "sampling.repetition_penalty": 1.3,
    })  # fmt: skip
    export_hf(run, loaded, tmp_path / "out")
    found = transformers.GenerationConfig.from_pretrained(tmp_path / "out")
    assert (found.do_sample, found.temperature, found.top_k, found.top_p) == (True, 0.7, 5, 0.9)
    assert (found.max_new_tokens, found.min_new_tokens, found.repetition_penalty) == (16, 3, 1.3)
    assert (found.bos_token_id, found.eos_token_id, found.pad_token_id) == (1, 2, 0)
    assert found.suppress_tokens == [0, 1]
    _model, tokenizer = opened(tmp_path / "out")
    assert tokenizer.model_max_length == 64


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"norm": "scalenorm"}, "model.norm=scalenorm"),
        ({"position": "learned"}, "model.position=learned, model.norm=rmsnorm"),
        ({"norm": "layernorm", "position": "learned", "mlp": "swiglu"}, "model.mlp=swiglu, model.position=learned"),
        ({"norm": "layernorm", "mlp": "swiglu"}, "model.mlp=swiglu, model.norm=layernorm"),
        ({"norm": "layernorm", "position": "learned", "head_dim": 24}, "model.position=learned, model.head_dim=24"),
    ],
)
def test_what_has_no_equivalent_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"^{words}: transformers has no model that is built like this$"):
        architecture_of(ModelConfig(**settings))


def test_an_existing_folder_stays(make_run: MakeRun, tmp_path: Path) -> None:
    run, loaded = make_run()
    out = tmp_path / "out"
    out.mkdir()
    export_hf(run, loaded, out)  # an empty one may be filled
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert sorted(before) == sorted(FILES)
    with pytest.raises(UserError, match="exists already; --force replaces it"):
        export_hf(run, loaded, out)
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before
    export_hf(run, loaded, out, force=True)
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} != before
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"holds other files \(thesis.tex\)"):
        export_hf(run, loaded, out, force=True)
    assert (out / "thesis.tex").read_text() == "years of work"
    with pytest.raises(UserError, match="is not a folder"):
        export_hf(run, loaded, out / "thesis.tex", force=True)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_failure_leaves_nothing(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, loaded = make_run()

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.interop.hf_export.model_card", full)
    with pytest.raises(OSError, match="No space left"):
        export_hf(run, loaded, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


REPORT = {
    "steps": 10, "epochs": 1.5, "loss": 0.5, "eval_loss": 0.75, "best_loss": 0.7, "best_step": 8, "train_seconds": 3.25,
    "probes": [{"prompt": "一|二", "answer": "<b>三</b>\x1b[2J", "expected": None, "exact": False}],
    "exact": {"valid": {"exact": 6, "total": 8, "exact_rate": 0.75, "ci95": [0.4, 0.9], "majority_rate": 0.125},
              "train": "damaged"},
    "data": {"train_file": "/home/lin/homework/train.jsonl", "train_used": 61, "sha256": {"valid/val.jsonl": "7d9d"}},
    "machine": {"processor": "A good one", "cores": 2},
}  # fmt: skip


def test_the_card_says_what_was_measured(make_run: MakeRun, tmp_path: Path) -> None:
    start = {"training.start_from": "/home/lin/runs/first", "data.train": "/home/lin/homework/train.jsonl"}
    run, loaded = make_run(start, name="second", report=REPORT)
    export_hf(run, loaded, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert "6 of 8 (75.0%, 95 % interval 40.0% to 90.0%); always the commonest answer: 12.5%" in card
    for line in (
        "validation loss | 0.75",
        "training file | train.jsonl",
        "model.n\\_layer | 2",
        "begun with the weights",
    ):
        assert line.replace("\\_", "_") in card
    assert "| 一\\|二 | &lt;b>三&lt;/b>\\\\x1b\\[2J |  |" in card
    assert "/home/lin" not in card and "\x1b" not in card
    assert "last checkpoint of the training" not in card


def test_the_card_of_a_run_that_has_not_ended(make_run: MakeRun, tmp_path: Path) -> None:
    run, loaded = make_run()
    export_hf(run, loaded, tmp_path / "out")
    assert "nothing was measured" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_the_card_of_an_imported_model(make_run: MakeRun, tmp_path: Path) -> None:
    about = {"kind": "gpt2", "source": "/home/lin/gpt2", "files": [{"name": "model.safetensors", "sha256": "24b3"}]}
    run, loaded = make_run(report={"imported": about, "steps": 0})
    export_hf(run, loaded, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "not trained with gpt-tui" in card and "| SHA-256 of model.safetensors | 24b3 |" in card
    assert "/home/lin" not in card and "training.lr" not in card


def test_int8_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    from core import checkpoint
    from core.quantize import quantize_weights

    run, loaded = make_run()
    small = quantize_weights(loaded.model, loaded.model.state_dict())
    state = json.loads((loaded.path / "state.json").read_text(encoding="utf-8"))
    checkpoint.save(run.checkpoints / "int8", state, loaded.tokenizer.to_json(), small)
    with pytest.raises(UserError, match="rounded to int8; export the checkpoint 'last' or 'best'"):
        export_hf(run, run.load("int8"), tmp_path / "out")
    shutil.rmtree(run.path)
    assert not (tmp_path / "out").exists()
