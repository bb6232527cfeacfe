"""Checkpoints of the seeds: models written anew after their formulas, saved as their programs save them, answer alike.

Each model here is that program's formula in few lines, weights and norms random.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
import torch.nn.functional as F
from tokenizers import decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor, nn

from core.errors import DataError, UserError
from core.events import Event, Notice
from core.generate import Answer, Token, generate
from core.interop.install import install
from core.interop.seeds import read_seed
from core.schema import SamplingConfig
from core.vocabulary import load_vocabulary

Drive = Callable[..., Any]
TEXTS = [
    "用户:什么是注意力机制？\n助手:注意力机制通过分配权重让模型关注关键位置。",
    "用户:解释蒸馏水\n助手:蒸馏水是通过蒸馏获得的水。",
]
QUESTION = "什么是蒸馏水？"
WIDTH, LAYERS, HEADS, CONTEXT = 32, 2, 4, 64


def build_tokenizer(path: Path) -> tokenizers.Tokenizer:
    """As both programs build theirs: only the bytes of the corpus, <unk>, both ends around every text."""
    inner = tokenizers.Tokenizer(models.BPE(unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<bos>", "<eos>", "<pad>", "<unk>"]
    inner.train_from_iterator(
        TEXTS * 3, trainers.BpeTrainer(vocab_size=300, special_tokens=special, show_progress=False)
    )
    ends = [("<bos>", inner.token_to_id("<bos>")), ("<eos>", inner.token_to_id("<eos>"))]
    inner.post_processor = processors.TemplateProcessing(single="<bos> $A <eos>", special_tokens=ends)
    path.parent.mkdir(parents=True, exist_ok=True)
    inner.save(str(path))
    return inner


def turn(x: Tensor) -> Tensor:
    """RoPE on (batch, heads, time, width of a head), its two halves the pairs."""
    half = x.shape[-1] // 2
    angle = torch.arange(x.shape[-2])[:, None] * 10000.0 ** (-torch.arange(half) / half)
    left, right = x[..., :half], x[..., half:]
    return torch.cat([left * angle.cos() - right * angle.sin(), left * angle.sin() + right * angle.cos()], -1)


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    scores = turn(q) @ turn(k).transpose(-1, -2) / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(torch.ones_like(scores[0, 0]).triu(1).bool(), -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def heads(x: Tensor, count: int) -> Tensor:
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


class LengthNorm(nn.Module):
    """GPT_teacher's "RMSNorm": the length times 1 ** -0.5, since it takes the side that has become 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        length = x.norm(dim=-1, keepdim=True)
        return x / (length * length.shape[-1] ** -0.5 + 1e-6) * self.weight


class MeanNorm(nn.Module):
    """ch_lite_gpt's "ScaleNorm": an RMSNorm, its small number outside the root."""

    def __init__(self) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return x / (x.pow(2).mean(-1, keepdim=True).sqrt() + 1e-6) * self.g


class Part(nn.Module):
    """Named layers, and what to do with them."""

    def __init__(self, formula: Callable[..., Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.formula = formula
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.formula(self, x)


def linear(rows: int, columns: int, bias: bool = True) -> nn.Linear:
    return nn.Linear(columns, rows, bias=bias)


def joint(name: str, out: str) -> Callable[..., Tensor]:
    def formula(part: Any, x: Tensor) -> Tensor:
        q, k, v = getattr(part, name)(x).chunk(3, -1)
        return getattr(part, out)(attention(heads(q, HEADS), heads(k, HEADS), heads(v, HEADS)))

    return formula


def teacher_block() -> nn.Module:
    attn = Part(joint("qkv", "proj"), qkv=linear(3 * WIDTH, WIDTH), proj=linear(WIDTH, WIDTH))
    mlp = Part(lambda p, x: p.fc2(F.silu(p.fc1(x))), fc1=linear(4 * WIDTH, WIDTH), fc2=linear(WIDTH, 4 * WIDTH))
    return block(("norm1", "attn", "norm2", "mlp"), LengthNorm, attn, mlp)


def grouped_block() -> nn.Module:
    def grouped(part: Any, x: Tensor) -> Tensor:
        k, v = (heads(layer(x), 2).repeat_interleave(2, dim=1) for layer in (part.wk, part.wv))
        return part.proj(attention(heads(part.wq(x), HEADS), k, v))

    attn = Part(
        grouped, wq=linear(WIDTH, WIDTH, False), wk=linear(WIDTH // 2, WIDTH, False),
        wv=linear(WIDTH // 2, WIDTH, False), proj=linear(WIDTH, WIDTH, False),
    )  # fmt: skip
    inner = (int(8 * WIDTH / 3) + 63) // 64 * 64
    mlp = Part(
        lambda p, x: p.w_down(F.silu(p.w_gate(x)) * p.w_up(x)), w_gate=linear(inner, WIDTH, False),
        w_up=linear(inner, WIDTH, False), w_down=linear(WIDTH, inner, False),
    )  # fmt: skip
    return block(("norm1", "attn", "norm2", "mlp"), LengthNorm, attn, mlp)


def lite_block() -> nn.Module:
    attn = Part(joint("to_qkv", "to_out"), to_qkv=linear(3 * WIDTH, WIDTH), to_out=linear(WIDTH, WIDTH))
    ff = Part(
        lambda p, x: p.w3(F.silu(p.w1(x)) * p.w2(x)), w1=linear(4 * WIDTH, WIDTH), w2=linear(4 * WIDTH, WIDTH),
        w3=linear(WIDTH, 4 * WIDTH),
    )  # fmt: skip
    return block(("n1", "attn", "n2", "ff"), MeanNorm, attn, ff)


def block(names: tuple[str, ...], norm: type[nn.Module], attn: nn.Module, mlp: nn.Module) -> nn.Module:
    first, second, third, fourth = names

    def formula(part: Any, x: Tensor) -> Tensor:
        x = x + getattr(part, second)(getattr(part, first)(x))
        return x + getattr(part, fourth)(getattr(part, third)(x))

    return Part(formula, **{first: norm(), second: attn, third: norm(), fourth: mlp})


class Network(nn.Module):
    """Embedding, blocks, norm, and an output layer that is the embedding."""

    def __init__(self, vocab: int, make: Callable[[], nn.Module], embed: str, norm: str, head: str) -> None:
        super().__init__()
        self.names = (embed, norm, head)
        self.add_module(embed, nn.Embedding(vocab, WIDTH))
        self.blocks = nn.ModuleList(make() for _ in range(LAYERS))
        self.add_module(norm, LengthNorm() if make is not lite_block else MeanNorm())
        self.add_module(head, linear(vocab, WIDTH, False))
        getattr(self, head).weight = getattr(self, embed).weight
        with torch.no_grad():
            for parameter in self.parameters():  # norms and biases too
                parameter.add_(torch.randn_like(parameter) * 0.1)
            getattr(self, embed).weight.mul_(0.5)  # logits of 1 to 3, as trained ones have

    def forward(self, ids: Tensor) -> Tensor:
        embed, norm, head = (getattr(self, name) for name in self.names)
        x = embed(ids)
        for part in self.blocks:
            x = part(x)
        return head(norm(x))


SHAPE = {"n_layer": LAYERS, "n_head": HEADS, "n_embd": WIDTH, "seq_len": CONTEXT, "dropout": 0.1}
CFG: dict[str, Any] = {"model": SHAPE, "training": {"lr": 0.001}, "tokenizer": {"type": "hf_tokenizers"}}
LITE = {"net": {"layers": LAYERS, "heads": HEADS, "width": WIDTH, "dropout": 0.1}, "text": {"seq_len": CONTEXT}}


def save_seed(folder: Path, kind: str) -> tuple[Path, Network, tokenizers.Tokenizer]:
    """A checkpoint with its vocabulary where the program ``kind`` puts them."""
    torch.manual_seed(3)
    lite = kind == "lite"
    inner = build_tokenizer(folder / ("artifacts" if lite else "tokenizer") / "tokenizer.json")
    make = {"teacher": teacher_block, "grouped": grouped_block, "lite": lite_block}[kind]
    names = ("emb", "out_norm", "lm") if lite else ("tok_emb", "norm", "head")
    model = Network(inner.get_vocab_size(), make, *names).eval()
    path = folder / ("artifacts" if lite else "checkpoints") / "last.pt"
    path.parent.mkdir(exist_ok=True)
    if lite:
        value: dict[str, Any] = {"weights": model.state_dict(), "cfg": LITE}
    else:
        value = {"model": model.state_dict(), "cfg": CFG}
    if kind == "grouped":
        value["cfg"] = {**CFG, "model": SHAPE | {"n_kv_head": 2}}
        value["fingerprint"] = {"git": None, "tokenizer_md5": "abc"}
    torch.save(value, path)
    return path, model, inner


@pytest.mark.parametrize("kind", ["teacher", "grouped", "lite"])
def test_logits_and_greedy_answer_are_the_seed_s(tmp_path: Path, drive: Drive, kind: str) -> None:
    path, model, inner = save_seed(tmp_path, kind)
    run = drive(install(tmp_path / "runs", None, drive(read_seed(path))))
    loaded = run.load()
    ids = torch.randint(0, inner.get_vocab_size(), (3, 50), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = model(ids)
        assert 0.1 < wanted.std() < 5
        torch.testing.assert_close(loaded.model.logits(loaded.model(ids)), wanted, atol=1e-4, rtol=0)

    # its own way of asking: the newer program no longer lets the tokenizer end the prompt
    text = f"用户:{QUESTION}\n助手:"
    prompt = inner.encode(text, add_special_tokens=True).ids
    prompt = prompt[:-1] if kind == "grouped" else prompt
    assert (prompt[-1] == inner.token_to_id("<eos>")) == (kind != "grouped")
    wanted_ids: list[int] = []
    for _ in range(12):
        with torch.no_grad():
            logits = model(torch.tensor([prompt + wanted_ids]))[0, -1]
        logits[[inner.token_to_id(name) for name in ("<pad>", "<bos>", "<unk>", "<eos>")]] = -math.inf
        wanted_ids.append(int(logits.argmax()))
    sampling = SamplingConfig(max_new_tokens=12, min_new_tokens=12, stop=[], trim_leading=False)
    items = list(generate(loaded, QUESTION, sampling))
    assert [item.id for item in items if isinstance(item, Token) and item.id >= 0] == wanted_ids
    assert isinstance(items[-1], Answer)
    assert items[-1].text == loaded.tokenizer.decode(wanted_ids)


def test_what_the_run_says_of_it(tmp_path: Path, drive: Drive) -> None:
    path, model, _ = save_seed(tmp_path, "teacher")
    events: list[Event] = []
    run = drive(install(tmp_path / "runs", None, drive(read_seed(path), events)))
    assert run.name == "GPT_teacher-last"
    config = run.config()
    assert (config.data.template, config.model.norm_eps, config.model.tie_embeddings) == ("seed", 1e-12, True)
    report = run.report()
    assert report["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert [file["name"] for file in report["imported"]["files"]] == ["last.pt", "tokenizer.json"]
    assert any(isinstance(event, Notice) and "<unk>" in event.template for event in events)
    again = drive(install(tmp_path / "runs", None, drive(read_seed(path, None, "teacher"))))
    assert (again.name, again.config().data.template) == ("GPT_teacher-last-2", "teacher")


def test_seed_000_has_its_number_of_parameters(tmp_path: Path) -> None:
    """V = 824, width 256, 4 layers: 3,368,192, counted from the very settings that an import makes."""
    from core.interop.seeds import SEEDS, _config
    from core.interop.tensors import Stored, Taker
    from core.skeleton import count_parameters

    stored = Stored((256, 1024), torch.float32, lambda: torch.empty(0))
    taker = Taker({"blocks.0.mlp.fc2.weight": stored}, "x")
    shape = {"n_layer": 4, "n_head": 4, "n_embd": 256, "seq_len": 128, "dropout": 0.1}
    config = _config(SEEDS[0], shape, taker, tmp_path)
    assert sum(count_parameters(config.model, 824).values()) == 3_368_192


def test_a_text_with_other_bytes_is_read_as_unknown(tmp_path: Path, drive: Drive) -> None:
    path, _, inner = save_seed(tmp_path, "teacher")
    tokenizer = drive(install(tmp_path / "runs", None, drive(read_seed(path)))).load().tokenizer
    assert not tokenizer.reads_everything
    for text in (QUESTION, "hello 鲸"):
        assert tokenizer.encode(text) == inner.encode(text, add_special_tokens=False).ids


def test_such_a_vocabulary_is_no_start_for_a_new_training(tmp_path: Path) -> None:
    """What it does not know would be lost in every row."""
    build_tokenizer(tmp_path / "tokenizer.json")
    for place in (tmp_path, tmp_path / "tokenizer.json"):
        with pytest.raises(DataError, match="the byte alphabet is incomplete"):
            load_vocabulary(place)


# --- what is refused


def refused(tmp_path: Path, drive: Drive, match: str, path: Path, **options: Any) -> None:
    with pytest.raises(UserError, match=match) as caught:
        drive(install(tmp_path / "runs", None, drive(read_seed(path, **options))))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value.pop("cfg"), "not a checkpoint of the seeds"),
        (lambda value: value["cfg"].pop("model"), "its cfg has no section 'model'"),
        (lambda value: value["cfg"]["model"].pop("n_layer"), "n_layer: found nothing, expected a whole number"),
        (lambda value: value["cfg"]["model"].update(n_head=3), "must be a multiple of n_head"),
        (lambda value: value["cfg"]["model"].update(n_layer=3), r"tensor 'blocks\.2\.norm1\.weight' is missing"),
        (lambda value: value["cfg"]["model"].update(n_layer=1), "tensors that this architecture does not have"),
        (lambda value: value["cfg"]["model"].update(n_embd=64), r"its shape is \d+ × 32, expected \d+ × 64"),
        (lambda value: value["cfg"]["model"].update(n_layer=10**12), "n_layer: found 1000000000000"),
        (lambda value: value["model"].pop("norm.weight"), r"tensor 'norm\.weight' is missing"),
        (lambda value: value["model"].update({"norm.weight": torch.ones(3)}), "its shape is 3, expected 32"),
        (lambda value: value["model"].update({"head.weight": torch.zeros_like(value["model"]["head.weight"])}),
         "its output layer is not its embedding"),
        (lambda value: value.update(model={"lstm.weight": torch.ones(2)}), "an architecture that is not known"),
    ],
)  # fmt: skip
def test_a_checkpoint_that_is_none(tmp_path: Path, drive: Drive, change: Callable[[Any], Any], message: str) -> None:
    path, _, _ = save_seed(tmp_path, "teacher")
    value = torch.load(path, weights_only=True)
    change(value)
    torch.save(value, path)
    refused(tmp_path, drive, message, path)


def test_other_files(tmp_path: Path, drive: Drive) -> None:
    path, model, _ = save_seed(tmp_path, "teacher")
    refused(tmp_path, drive, "is a folder, expected a file", tmp_path)
    refused(tmp_path, drive, "no such file", tmp_path / "none.pt")
    refused(tmp_path, drive, "not a file that torch.save", tmp_path / "tokenizer" / "tokenizer.json")
    refused(tmp_path, drive, "no such file", path, tokenizer_file=tmp_path / "none.json")
    (tmp_path / "tokenizer" / "tokenizer.json").rename(tmp_path / "far.json")
    refused(tmp_path, drive, "no tokenizer.json beside the checkpoint; name the one", path)
    assert drive(read_seed(path, tmp_path / "far.json")).name == "GPT_teacher-last"
    torch.save(model.blocks[0].mlp.fc1, path)
    refused(tmp_path, drive, "refused, as only weights are read and no program is run", path)


def test_the_int8_file_of_a_seed(tmp_path: Path, drive: Drive) -> None:
    path, _, _ = save_seed(tmp_path, "teacher")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # As torch's dynamic quantization leaves a layer: packed parameters in the place of a matrix.
        packed = torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8)
        layer = "blocks.0.attn.qkv._packed_params"
        names = {f"{layer}.dtype": torch.qint8, f"{layer}._packed_params": (packed, None)}
        torch.save({"model": names, "cfg": CFG}, path)
    refused(tmp_path, drive, r"rounded to int8; import the last\.pt beside it", path)
