"""GGUF files: every tensor and setting as ``gguf`` reads them, and llama.cpp's answers where it is installed."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from core.dataset import encode_prompt
from core.errors import UserError
from core.generate import Token, generate
from core.interop import gguf_export
from core.interop.gguf_export import TYPES, export_gguf
from core.runs import LoadedModel
from core.template import TEMPLATES
from core.tokenizer import Tokenizer, train_bpe, train_char
from gpt_tui.commands import export

from .conftest import SHAPES, TEXTS, MakeRun

gguf = pytest.importorskip("gguf", reason="gguf is in the test extra")

Array = npt.NDArray[np.float32]

#: What llama.cpp has: its arcee is relu squared, its gpt2 and starcoder2 are GELU.
HERE = {name: settings for name, settings in SHAPES.items() if name.split()[-1] not in ("gelu", "relu")}
HERE.pop("GPT2LMHeadModel silu")
HERE.pop("Starcoder2ForCausalLM narrow heads")


def field(reader: Any, name: str) -> Any:
    return reader.fields[name].contents()


def tensors(path: Path) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def values(tensor: Any) -> Array:
    found: Array = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    return found


def paired(rows: Array, heads: int) -> Array:
    """Rows of query or key as llama.cpp's llama wants them: number j and number j + half of a head side by side."""
    size = len(rows) // heads
    order = [head * size + part * size // 2 + j for head in range(heads) for j in range(size // 2) for part in (0, 1)]
    return rows[order]


def expected(loaded: LoadedModel) -> dict[str, Array]:
    """llama.cpp's tensors, written out from its own list of what each architecture loads."""
    model, c = {name: tensor.numpy() for name, tensor in loaded.model.state_dict().items()}, loaded.config.model
    llama, gpt2 = c.norm == "rmsnorm", c.position == "learned"
    found = {"token_embd.weight": model["embed.weight"], "output_norm.weight": model["norm.weight"]}
    names = {"norm1": "attn_norm", "norm2": "ffn_norm", "attn.proj": "attn_output", "mlp.down": "ffn_down"}
    if not c.tie_embeddings:
        found["output.weight"] = model["head.weight"]
    if gpt2:
        found["position_embd.weight"] = model["position.weight"]
    if not llama:
        found["output_norm.bias"] = model.get("norm.bias", np.zeros(c.n_embd, np.float32))
    for i in range(c.n_layer):
        ours, theirs = f"blocks.{i}.", f"blk.{i}."
        for part, name in names.items():
            found[f"{theirs}{name}.weight"] = model[f"{ours}{part}.weight"]
            bias = model.get(f"{ours}{part}.bias")
            attention_biases = part == "attn.proj" and bool(c.qkv_bias)
            if bias is not None or not llama or attention_biases:
                found[f"{theirs}{name}.bias"] = np.zeros(c.n_embd, np.float32) if bias is None else bias
        ends = np.cumsum([c.n_head * c.head_size, c.kv_heads * c.head_size])
        for kind in ("weight", "bias"):
            whole = model.get(f"{ours}attn.qkv.{kind}")
            if whole is None and (not llama or c.bias):
                whole = np.zeros((c.n_head + 2 * c.kv_heads) * c.head_size, np.float32)
            if whole is None:
                continue
            q, k, v = np.split(whole, ends)
            if llama:
                q, k = paired(q, c.n_head), paired(k, c.kv_heads)
            if gpt2:
                k, v = (
                    np.concatenate([part[h // (c.n_head // c.kv_heads) * c.head_size :][: c.head_size]
                                    for h in range(c.n_head)])
                    for part in (k, v)
                )  # fmt: skip
                found[f"{theirs}attn_qkv.{kind}"] = np.concatenate([q, k, v])
            else:
                found |= {f"{theirs}attn_{part}.{kind}": rows for part, rows in (("q", q), ("k", k), ("v", v))}
            up = model.get(f"{ours}mlp.up.{kind}")
            if up is None and not llama:
                up = np.zeros(c.hidden, np.float32)
            if c.mlp == "gelu" and up is not None:
                found[f"{theirs}ffn_up.{kind}"] = up
        if c.mlp != "gelu":
            swiglu = c.mlp == "swiglu"
            for kind in ("weight", "bias"):
                up = model.get(f"{ours}mlp.up.{kind}")
                if up is not None:
                    found[f"{theirs}ffn_gate.{kind}"] = up[: c.hidden]
                    found[f"{theirs}ffn_up.{kind}"] = up[c.hidden :] if swiglu else np.zeros_like(up)
            if not swiglu:
                found[f"{theirs}ffn_up.bias"] = np.ones(c.hidden, np.float32)
    return found


@pytest.mark.parametrize("shape", HERE)
def test_every_tensor(make_run: MakeRun, tmp_path: Path, shape: str) -> None:
    run, loaded = make_run(HERE[shape])
    export_gguf(run, loaded, tmp_path / "a.gguf", "f32")
    found = {name: values(tensor) for name, tensor in tensors(tmp_path / "a.gguf").items()}
    wanted = expected(loaded)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize(("kind", "close"), [("f16", 5e-4), ("q8_0", 6e-3)])
def test_smaller_types(make_run: MakeRun, tmp_path: Path, kind: str, close: float) -> None:
    """Matrices are rounded, norms, biases and positions are not; a row that no block of 32 fits stays f16."""
    run, loaded = make_run(HERE["GPT2LMHeadModel bare"] | {"model.mlp_hidden": 40})
    export_gguf(run, loaded, tmp_path / "a.gguf", kind)
    found = tensors(tmp_path / "a.gguf")
    for name, array in expected(loaded).items():
        exact = array.ndim == 1 or name == "position_embd.weight"
        stored = "F32" if exact else "F16" if kind == "f16" or name.endswith("ffn_down.weight") else "Q8_0"
        assert found[name].tensor_type.name == stored, name
        np.testing.assert_allclose(values(found[name]), array, atol=0 if exact else close, rtol=0, err_msg=name)
    wanted = {"f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}[kind]
    assert field(gguf.GGUFReader(tmp_path / "a.gguf"), "general.file_type") == wanted


@pytest.mark.parametrize("shape", HERE)
def test_settings(make_run: MakeRun, tmp_path: Path, shape: str) -> None:
    run, loaded = make_run(HERE[shape], name="mine")
    export_gguf(run, loaded, tmp_path / "a.gguf", "f16")
    reader, c = gguf.GGUFReader(tmp_path / "a.gguf"), loaded.config.model
    arch = field(reader, "general.architecture")
    assert arch == {"rmsnorm": "llama", "layernorm": "gpt2" if c.position == "learned" else "starcoder2"}[c.norm]
    assert field(reader, "general.name") == "mine"
    sizes = {
        "context_length": 64, "embedding_length": 32, "block_count": 2, "feed_forward_length": c.hidden,
        "attention.head_count": 4, "attention.head_count_kv": 4 if arch == "gpt2" else c.kv_heads, "vocab_size": 320,
    }  # fmt: skip
    assert {key: field(reader, f"{arch}.{key}") for key in sizes} == sizes
    epsilon = "attention.layer_norm_rms_epsilon" if arch == "llama" else "attention.layer_norm_epsilon"
    assert field(reader, f"{arch}.{epsilon}") == pytest.approx(c.norm_eps)
    if c.position == "rope":
        assert field(reader, f"{arch}.rope.freq_base") == pytest.approx(c.rope_theta)
        assert field(reader, f"{arch}.rope.dimension_count") == c.head_size
        assert field(reader, f"{arch}.attention.key_length") == c.head_size
        assert field(reader, f"{arch}.attention.value_length") == c.head_size


def test_the_vocabulary(make_run: MakeRun, tmp_path: Path) -> None:
    run, loaded = make_run()
    export_gguf(run, loaded, tmp_path / "a.gguf", "f16")
    reader, ours = gguf.GGUFReader(tmp_path / "a.gguf"), loaded.tokenizer
    assert (field(reader, "tokenizer.ggml.model"), field(reader, "tokenizer.ggml.pre")) == ("gpt2", "gpt-2")
    tokens, types = field(reader, "tokenizer.ggml.tokens"), field(reader, "tokenizer.ggml.token_type")
    assert tokens[:3] == ["<pad>", "<bos>", "<eos>"] and len(tokens) == len(types) == ours.vocab_size
    alphabet = {chr(i): i for i in range(33, 127)}
    assert all(ours.token_bytes(i) == bytes([alphabet[token]]) for i, token in enumerate(tokens) if token in alphabet)
    assert types == [3] * 3 + [1] * 317
    merges = field(reader, "tokenizer.ggml.merges")
    assert [merge.replace(" ", "") for merge in merges] == tokens[3 + 256 :]
    ids = [field(reader, f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos", "padding")]
    assert ids == [ours.bos, ours.eos, ours.pad]
    assert field(reader, "tokenizer.ggml.add_bos_token") is True
    assert "用户:" in field(reader, "tokenizer.chat_template")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model.norm": "scalenorm"}, "model.norm=scalenorm"),
        ({"model.mlp": "relu"}, "model.mlp=relu, model.norm=rmsnorm"),
        ({"model.norm": "layernorm", "model.mlp": "relu"}, "model.mlp=relu, model.norm=layernorm"),
        (SHAPES["Starcoder2ForCausalLM narrow heads"], "model.norm=layernorm, model.head_dim=4"),
    ],
)
def test_what_llama_cpp_lacks_is_refused(
    make_run: MakeRun, tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    run, loaded = make_run(settings)
    with pytest.raises(UserError, match=f"^{words}: llama.cpp has no model that is built like this$"):
        export_gguf(run, loaded, tmp_path / "a.gguf", "f16")
    assert not (tmp_path / "a.gguf").exists()


def test_other_vocabularies_are_refused(make_run: MakeRun, tmp_path: Path, vocabulary: Tokenizer) -> None:
    run, loaded = make_run({"tokenizer.kind": "char"}, tokenizer=train_char(iter(TEXTS), 300))
    with pytest.raises(UserError, match=r"llama\.cpp has no tokenizer of single characters"):
        export_gguf(run, loaded, tmp_path / "a.gguf", "f16")
    text = vocabulary.to_json().replace('"ignore_merges":false', '"ignore_merges":true')
    run, loaded = make_run(name="b", tokenizer=Tokenizer.from_json(text))
    with pytest.raises(UserError, match="cuts text by a rule of its own"):
        export_gguf(run, loaded, tmp_path / "a.gguf", "f16")


def test_an_existing_file_stays(make_run: MakeRun, tmp_path: Path) -> None:
    run, loaded = make_run()
    target = tmp_path / "a.gguf"
    target.write_text("mine")
    with pytest.raises(UserError, match="exists already; --force replaces it"):
        export_gguf(run, loaded, target, "f16")
    assert target.read_text() == "mine"
    export_gguf(run, loaded, target, "f16", force=True)
    assert target.read_bytes()[:4] == b"GGUF"
    with pytest.raises(UserError, match="is a folder"):
        export_gguf(run, loaded, tmp_path, "f16", force=True)


def test_too_large_for_f16(make_run: MakeRun, tmp_path: Path) -> None:
    run, loaded = make_run()
    with torch.no_grad():
        loaded.model.blocks[1].mlp.down.weight[0, 0] = 1e5  # type: ignore[union-attr,index]
    with pytest.raises(UserError, match=r"blk.1.ffn_down.weight: a weight of 100000 is too large for f16"):
        export_gguf(run, loaded, tmp_path / "a.gguf", "f16")
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_without_gguf(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, loaded = make_run()
    monkeypatch.setitem(__import__("sys").modules, "gguf", None)
    with pytest.raises(UserError, match=r"^gguf is not installed; to have it: pip install gguf$"):
        export_gguf(run, loaded, tmp_path / "a.gguf", "f16")


def test_the_command_offers_these_types() -> None:
    assert export.TYPES == gguf_export.TYPES


# -- llama.cpp itself --------------------------------------------------------------------------------------------


def llama(path: Path, **options: Any) -> Any:
    """The file opened by llama.cpp. Its kernels for Intel's AMX, in buffers of their own, are left out: in virtual
    machines they end the process (SIGSEGV at ldtilecfg, llama-cpp-python 0.3.36)."""
    module = pytest.importorskip("llama_cpp", reason="needs llama.cpp: pip install llama-cpp-python")
    plain = module.llama_cpp.llama_model_default_params

    def without_extra_buffers() -> Any:
        params = plain()
        params.use_extra_bufts = False
        return params

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.llama_cpp, "llama_model_default_params", without_extra_buffers)
        return module.Llama(str(path), n_ctx=64, n_threads=1, n_threads_batch=1, verbose=False, **options)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("shape", HERE)
@torch.inference_mode()
def test_llama_cpp_answers_the_same(make_run: MakeRun, tmp_path: Path, shape: str) -> None:
    run, loaded = make_run(HERE[shape])
    export_gguf(run, loaded, tmp_path / "a.gguf", "f32")
    model = llama(tmp_path / "a.gguf", logits_all=True)
    tokens = torch.randint(3, 300, (40,), generator=torch.Generator().manual_seed(3))
    model.eval(tokens.tolist())
    ours = loaded.model.logits(loaded.model(tokens[None]))[0]
    # Its GELU looks up a table of fp16, its cache is fp16.
    torch.testing.assert_close(torch.tensor(model.scores[:40]), ours, atol=3e-2, rtol=0)

    prompt = encode_prompt("猫吃什么？", loaded.tokenizer, TEMPLATES["teacher"], 64)
    assert model.tokenize("用户:猫吃什么？\n助手:".encode()) == prompt
    ours_said = [item.id for item in generate(loaded, "猫吃什么？") if isinstance(item, Token) and item.id >= 0]
    said = list(islice(model.generate(prompt, temp=0.0, repeat_penalty=1.0), len(ours_said)))
    assert said == ours_said and len(said) > 3
    found = model.create_chat_completion([{"role": "user", "content": "猫吃什么？"}], max_tokens=1)
    assert found["usage"]["prompt_tokens"] == len(prompt)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TYPES)
@torch.inference_mode()
def test_llama_cpp_reads_every_type(make_run: MakeRun, tmp_path: Path, kind: str) -> None:
    run, loaded = make_run()
    export_gguf(run, loaded, tmp_path / "a.gguf", kind)
    model = llama(tmp_path / "a.gguf", logits_all=True)
    tokens = torch.randint(3, 300, (40,), generator=torch.Generator().manual_seed(3))
    model.eval(tokens.tolist())
    ours = loaded.model.logits(loaded.model(tokens[None]))[0]
    error = (torch.tensor(model.scores[:40]) - ours).norm() / ours.norm()
    assert float(error) < {"f32": 2e-3, "f16": 2e-3, "q8_0": 3e-2}[kind]


@pytest.mark.slow
@pytest.mark.parametrize("pieces", ["words", "digits", "characters"])
def test_llama_cpp_cuts_text_the_same(make_run: MakeRun, tmp_path: Path, pieces: str) -> None:
    """The rule named in the file is GPT-2's; finer ones give the same tokens: no merge reaches across their cuts."""
    corpus = (Path(__file__).parents[3] / "data" / "teacher" / "train.jsonl").read_text(encoding="utf-8")
    texts = [*corpus.splitlines(), "李明 将于 12月5日 19:30\n\n  isn't  12 3.14\t①½ éa 〇々〆 ひらがな 한국어 🐋"]
    ours = train_bpe(iter(texts * 2), 1500, pieces=pieces)
    run, loaded = make_run(tokenizer=ours)
    export_gguf(run, loaded, tmp_path / "a.gguf", "f16")
    theirs = llama(tmp_path / "a.gguf", vocab_only=True)
    texts += ["  ".join(pair) for pair in zip(texts[:500], reversed(texts), strict=False)]
    for text in texts:
        assert theirs.tokenize(text.encode(), add_bos=False, special=False) == ours.encode(text), text


def test_a_file_that_could_not_be_written_leaves_the_old_one(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_writer: Any, **_more: Any) -> None:
        raise OSError(28, "No space left on device")

    run, loaded = make_run()
    (tmp_path / "a.gguf").write_bytes(b"mine")
    monkeypatch.setattr(gguf.GGUFWriter, "write_tensors_to_file", full)
    with pytest.raises(OSError, match="No space left"):
        export_gguf(run, loaded, tmp_path / "a.gguf", "f16", force=True)
    assert (tmp_path / "a.gguf").read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gguf", "runs"]


@pytest.mark.parametrize("kind", TYPES)
def test_the_version_of_the_blocks_stands_where_there_are_blocks(make_run: MakeRun, tmp_path: Path, kind: str) -> None:
    run, loaded = make_run()
    export_gguf(run, loaded, tmp_path / "a.gguf", kind)
    fields = gguf.GGUFReader(tmp_path / "a.gguf").fields
    assert ("general.quantization_version" in fields) == (kind == "q8_0")
