"""GPT-2 from Hugging Face's files: the same logits as ``transformers``, and one line for whatever is not a GPT-2."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import CheckpointError, UserError
from core.interop.gpt2 import SIZES, read_gpt2, size_name
from core.interop.install import install
from core.schema import ModelConfig
from core.skeleton import count_parameters
from core.tokenizer import Tokenizer

Save = Callable[..., Any]
Drive = Callable[..., Any]
TOLERANCE = 1e-4


def gpt2_config(size: str) -> ModelConfig:
    layers, heads, width = SIZES[size]
    return ModelConfig(
        n_layer=layers, n_head=heads, n_embd=width, seq_len=1024, norm="layernorm", norm_eps=1e-5, mlp="gelu",
        position="learned",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("size", "count"),
    [("124M", 124_439_808), ("355M", 354_823_168), ("774M", 774_030_080), ("1558M", 1_557_611_200)],
)
def test_the_published_sizes(size: str, count: int) -> None:
    assert sum(count_parameters(gpt2_config(size), 50257).values()) == count
    assert size_name(gpt2_config(size)) == f"gpt2-{size}"


def assert_same_logits(folder: Path, tmp_path: Path, model: Any, drive: Drive, tokens: int = 32) -> None:
    run = drive(install(tmp_path / "runs", None, drive(read_gpt2(folder))))
    loaded = run.load()
    ids = torch.randint(0, loaded.tokenizer.vocab_size, (2, tokens), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = model(ids).logits
        found = loaded.model.logits(loaded.model(ids))
    assert wanted.std() > 0.1
    torch.testing.assert_close(found, wanted[..., : found.shape[-1]], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_logits_of_each_size_with_a_smaller_width(tmp_path: Path, hf_gpt2: Save, drive: Drive, size: str) -> None:
    layers, heads, _ = SIZES[size]
    model = hf_gpt2(tmp_path / "hf", n_layer=layers, n_head=heads, n_embd=heads * 4)
    assert_same_logits(tmp_path / "hf", tmp_path, model, drive)


@pytest.mark.parametrize(
    "settings",
    [
        {"activation_function": "relu"},
        {"activation_function": "gelu_pytorch_tanh"},
        {"activation_function": "silu", "n_inner": 72},
        {"layer_norm_epsilon": 1e-3, "n_head": 1},
        {"tie_word_embeddings": False},
    ],
    ids=str,
)
def test_logits_of_other_shapes(tmp_path: Path, hf_gpt2: Save, drive: Drive, settings: dict[str, Any]) -> None:
    assert_same_logits(tmp_path / "hf", tmp_path, hf_gpt2(tmp_path / "hf", **settings), drive)


def old_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As the first files had them: no prefix, no output layer, a causal mask in each block."""
    names = {name.removeprefix("transformer."): value for name, value in state.items() if name != "lm_head.weight"}
    for layer in range(2):
        names[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 48, 48).tril()
        names[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    return names


def spread(state: dict[str, torch.Tensor], folder: Path) -> None:
    """Two files and an index."""
    names = sorted(state)
    parts = {"pytorch_model-00001-of-00002.bin": names[:9], "pytorch_model-00002-of-00002.bin": names[9:]}
    for file, part in parts.items():
        torch.save({name: state[name] for name in part}, folder / file)
    where = {name: file for file, part in parts.items() for name in part}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}), encoding="utf-8")


@pytest.mark.parametrize(
    "form", ["safetensors in parts", "torch", "torch before 2020", "torch in parts", "no prefix", "half precision"]
)
def test_every_form_of_the_weights(tmp_path: Path, hf_gpt2: Save, drive: Drive, form: str) -> None:
    folder = tmp_path / "hf"
    model = hf_gpt2(folder)
    if form == "safetensors in parts":
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder, max_shard_size="20KB")
        assert (folder / "model.safetensors.index.json").is_file()
    else:
        (folder / "model.safetensors").unlink()
        state = model.state_dict()
        if form == "torch in parts":
            spread(state, folder)
        else:
            if form == "half precision":
                model.half().float()
                state = {name: value.half() for name, value in model.state_dict().items()}
            old = form == "torch before 2020"
            torch.save(old_names(state) if form == "no prefix" else state, folder / "pytorch_model.bin",
                       _use_new_zipfile_serialization=not old)  # fmt: skip
    assert_same_logits(folder, tmp_path, model, drive)


def test_gpt2_s_own_vocabulary_files(tmp_path: Path, hf_gpt2: Save, drive: Drive, bpe: Tokenizer) -> None:
    folder = tmp_path / "hf"
    hf_gpt2(folder)
    (folder / "tokenizer.json").unlink()
    bpe._inner.model.save(str(folder))  # vocab.json, merges.txt
    names = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    names["<|endoftext|>"] = names.pop("<eos>")
    (folder / "vocab.json").write_text(json.dumps(names), encoding="utf-8")
    run = drive(install(tmp_path / "runs", None, drive(read_gpt2(folder))))
    assert run.load().tokenizer.encode("the quick 注意力") == bpe.encode("the quick 注意力")
    assert {file["name"] for file in run.imported()["files"]} == {
        "config.json", "model.safetensors", "vocab.json", "merges.txt",
    }  # fmt: skip


def test_spare_rows_of_the_embedding_are_left_out(tmp_path: Path, hf_gpt2: Save, drive: Drive, bpe: Tokenizer) -> None:
    model = hf_gpt2(tmp_path / "hf", vocab_size=bpe.vocab_size + 7)
    assert_same_logits(tmp_path / "hf", tmp_path, model, drive)


# --- what is not a GPT-2, or not a whole one


def settings_with(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    values = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(values), encoding="utf-8")


def refused(folder: Path, tmp_path: Path, drive: Drive, match: str) -> None:
    """It ends in one line, and the folder of runs is as it was."""
    runs = tmp_path / "runs"
    with pytest.raises(UserError, match=match) as caught:
        drive(install(runs, None, drive(read_gpt2(folder))))
    assert "\n" not in str(caught.value)
    assert not runs.exists() or not list(runs.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "llama"}, "model_type: 'llama': only gpt2"),
        ({"activation_function": "gelu"}, "activation_function: 'gelu': only gelu_new"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx: True: only False"),
        ({"n_layer": 3}, r"the tensor 'h\.2\.ln_1\.weight' is missing"),
        ({"n_layer": 1}, r"tensors that this architecture does not have: h\.1\.attn\.c_attn\.bias"),
        ({"n_embd": 64}, r"'wte\.weight': its shape is \d+ × 32, expected \d+ × 64"),
        ({"n_positions": 64}, r"'wpe\.weight': its shape is 48 × 32, expected 64 × 32"),
        ({"n_head": 5}, r"config\.json: a network that this program does not have: .*multiple of n_head"),
        ({"n_layer": 10**9}, "n_layer: found 1000000000"),
        ({"n_layer": "12"}, "n_layer: found '12', expected a whole number"),
        ({"n_layer": None}, "n_layer: found nothing"),
        ({"layer_norm_epsilon": "x"}, "layer_norm_epsilon: found 'x', expected a number"),
        ({"vocab_size": 999}, r"it says 999 tokens, the weights have \d+"),
    ],
)
def test_settings_that_do_not_fit(
    tmp_path: Path, hf_gpt2: Save, drive: Drive, changes: dict[str, Any], message: str
) -> None:
    hf_gpt2(tmp_path / "hf")
    settings_with(tmp_path / "hf", **changes)
    refused(tmp_path / "hf", tmp_path, drive, message)


def test_files_that_are_missing_or_broken(tmp_path: Path, hf_gpt2: Save, drive: Drive, bpe: Tokenizer) -> None:
    folder = tmp_path / "hf"
    refused(folder, tmp_path, drive, "no such folder")
    hf_gpt2(folder)
    refused(folder / "config.json", tmp_path, drive, "is a file, expected the folder")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    refused(folder, tmp_path, drive, "damaged")
    weights.write_bytes(b"\xff" * 8 + whole[8:])
    refused(folder, tmp_path, drive, "damaged")
    weights.unlink()
    refused(folder, tmp_path, drive, "no weights in it; expected model.safetensors")
    weights.mkdir()
    refused(folder, tmp_path, drive, "no weights in it")
    weights.rmdir()
    weights.write_bytes(whole)
    (folder / "tokenizer.json").unlink()
    refused(folder, tmp_path, drive, r"no vocabulary in it; expected tokenizer\.json")
    (folder / "config.json").unlink()
    refused(folder, tmp_path, drive, "no GPT-2 in it; expected config.json")
    (folder / "config.json").write_text("[]", encoding="utf-8")
    refused(folder, tmp_path, drive, "not the settings of a model")


def test_weights_that_are_no_numbers(tmp_path: Path, hf_gpt2: Save, drive: Drive) -> None:
    folder = tmp_path / "hf"
    state = hf_gpt2(folder).state_dict()
    (folder / "model.safetensors").unlink()
    for value, message in ((torch.nan, "infinite or not a number"), (None, r"holds torch\.int64, expected floating")):
        bad = dict(state)
        old = state["transformer.wpe.weight"]
        bad["transformer.wpe.weight"] = old.long() if value is None else torch.full_like(old, value)
        torch.save(bad, folder / "pytorch_model.bin")
        refused(folder, tmp_path, drive, message)
    torch.save([1, 2], folder / "pytorch_model.bin")
    refused(folder, tmp_path, drive, "not a file of weights")


def test_a_vocabulary_that_does_not_belong_to_it(tmp_path: Path, hf_gpt2: Save, drive: Drive) -> None:
    hf_gpt2(tmp_path / "hf", vocab_size=270)
    refused(tmp_path / "hf", tmp_path, drive, "its weights only 270: they do not belong together")


def test_a_model_larger_than_the_memory(
    tmp_path: Path, hf_gpt2: Save, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        available = 100_000

    hf_gpt2(tmp_path / "hf")
    monkeypatch.setattr("psutil.virtual_memory", Full)
    refused(tmp_path / "hf", tmp_path, drive, r"\d+ parameters take 0\.\d GB of memory to import, 0\.0 GB are free")


@pytest.mark.parametrize("name", ["../secret.bin", "/etc/passwd", "..\\x", 3])
def test_an_index_that_points_elsewhere(tmp_path: Path, hf_gpt2: Save, drive: Drive, name: Any) -> None:
    folder = tmp_path / "hf"
    hf_gpt2(folder)
    (folder / "model.safetensors").unlink()
    index = folder / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"wte.weight": name}}), encoding="utf-8")
    refused(folder, tmp_path, drive, "outside its own folder|not an index of weights")


# --- at their real size


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_logits_at_full_size(tmp_path: Path, drive: Drive, bpe: Tokenizer, size: str) -> None:
    """One after the other, the model of ``transformers`` gone before ours is there: 8 GB for the largest."""
    import psutil
    import transformers

    layers, heads, width = SIZES[size]
    needed = 1.4 * 4 * sum(count_parameters(gpt2_config(size), 50257).values())
    if psutil.virtual_memory().available < needed:
        pytest.skip(f"needs {needed / 1e9:.0f} GB of memory")
    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count() or 1)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_layer=layers, n_head=heads, n_embd=width)).eval()
    folder = tmp_path / "hf"
    model.save_pretrained(folder, max_shard_size="2GB")
    ids = torch.randint(0, 50257, (1, 24))
    with torch.inference_mode():
        wanted = model(ids).logits
    del model
    names = [bpe._inner.id_to_token(i) for i in range(bpe.vocab_size)]
    fill = {f"x{i}": i for i in range(bpe.vocab_size, 50256)} | {"<|endoftext|>": 50256}
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)} | fill), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    run = drive(install(tmp_path / "runs", None, drive(read_gpt2(folder))))
    assert run.name == f"gpt2-{size}"
    loaded = run.load()
    with torch.inference_mode():
        found = loaded.model.logits(loaded.model(ids))
    torch.testing.assert_close(found, wanted, atol=TOLERANCE, rtol=0)


def test_a_wrong_file_says_which(tmp_path: Path, drive: Drive) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json:1: not valid JSON"):
        drive(read_gpt2(tmp_path))
