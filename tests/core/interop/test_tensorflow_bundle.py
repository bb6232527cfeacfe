"""OpenAI's files as TensorFlow writes them: a bundle written here byte by byte is read back, and no damage passes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.errors import CheckpointError, UserError
from core.interop.crc32c import crc32c
from core.interop.gpt2 import read_gpt2
from core.interop.install import install
from core.interop.tensorflow_bundle import read_bundle
from core.tokenizer import Tokenizer

# --- the other program's side: a writer after the published formats, with a checksum of its own


def slow_crc32c(data: bytes) -> int:
    """Bit by bit, as the definition has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def mask(crc: int) -> int:
    return ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF


def varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found, number = found + bytes([number & 0x7F | 0x80]), number >> 7
    return found + bytes([number])


def field(number: int, value: int | bytes, wire: int | None = None) -> bytes:
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if wire == 5:
        return varint(number << 3 | 5) + struct.pack("<I", value)
    return varint(number << 3) + varint(value)


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Keys with what they share with the key before, a restart every 16."""
    data, restarts, before = b"", [], b""
    for i, (key, value) in enumerate(entries):
        shared = 0
        if i % 16 == 0:
            restarts.append(len(data))
        else:
            while shared < min(len(before), len(key)) and before[shared] == key[shared]:
                shared += 1
        data += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return data + b"".join(struct.pack("<I", place) for place in restarts) + struct.pack("<I", len(restarts))


def table(entries: list[tuple[bytes, bytes]], per_block: int = 9) -> bytes:
    data, index = b"", []
    for begin in range(0, len(entries), per_block):
        part = block(entries[begin : begin + per_block])
        index.append((entries[begin : begin + per_block][-1][0], varint(len(data)) + varint(len(part))))
        data += part + b"\0" + struct.pack("<I", mask(slow_crc32c(part + b"\0")))
    handles = b""
    for part in (block([]), block(index)):
        handles += varint(len(data)) + varint(len(part))
        data += part + b"\0" + struct.pack("<I", mask(slow_crc32c(part + b"\0")))
    return data + handles.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def entry_of(array: np.ndarray, shard: int, offset: int, **changes: int) -> bytes:
    dims = b"".join(field(2, field(1, size)) for size in array.shape)
    raw = array.tobytes()
    values = {"kind": 1, "size": len(raw), "crc": mask(slow_crc32c(raw))} | changes
    found = field(1, values["kind"]) + field(2, dims)
    found += field(3, shard) if shard else b""
    found += field(4, offset) if offset else b""
    return found + field(5, values["size"]) + field(6, values["crc"], wire=5)


def write_bundle(prefix: Path, arrays: dict[str, np.ndarray], shards: int = 1, header: bytes | None = None) -> None:
    data = [b""] * shards
    head = field(1, shards) + field(3, field(1, 1)) if header is None else header
    entries = [(b"", head)]
    for i, name in enumerate(sorted(arrays)):
        shard = i % shards
        entries.append((name.encode(), entry_of(arrays[name], shard, len(data[shard]))))
        data[shard] += arrays[name].tobytes()
    prefix.with_name(prefix.name + ".index").write_bytes(table(entries))
    for shard, content in enumerate(data):
        prefix.with_name(f"{prefix.name}.data-{shard:05}-of-{shards:05}").write_bytes(content)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    names = [f"model/h{layer}/{part}/w" for layer in range(12) for part in ("attn/c_attn", "attn/c_proj", "mlp/c_fc")]
    return {name: random.standard_normal((1, 3, 2 + i % 5)).astype("<f4") for i, name in enumerate(names)}


# --- the checksum


def test_the_published_value_of_the_checksum() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"") == 0
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


@given(st.binary(max_size=1500))
def test_the_checksum_of_short_data(data: bytes) -> None:
    assert crc32c(data) == slow_crc32c(data)


@pytest.mark.parametrize("size", [65535, 65536, 131077])
def test_the_checksum_of_long_data(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    assert crc32c(data) == slow_crc32c(data)


# --- the bundle


@pytest.mark.parametrize("shards", [1, 3])
def test_a_bundle_is_read_back(tmp_path: Path, arrays: dict[str, np.ndarray], shards: int) -> None:
    write_bundle(tmp_path / "model.ckpt", arrays, shards)
    files, found = read_bundle(tmp_path / "model.ckpt")
    names = [f"model.ckpt.data-{shard:05}-of-{shards:05}" for shard in range(shards)]
    assert [file.name for file in files] == ["model.ckpt.index", *names]
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].shape == array.shape
        assert np.array_equal(found[name].read().numpy(), array)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_passes(
    tmp_path: Path, message_of: Callable[[Callable[[], object]], str | None], place: float, bit: int
) -> None:
    """In the index or in the numbers: it is found, or it was in bytes that say nothing."""
    wanted = {"a": np.arange(6, dtype="<f4").reshape(2, 3), "ab/c": np.ones(5, dtype="<f4")}
    write_bundle(tmp_path / "m", wanted)
    for file in (tmp_path / "m.index", tmp_path / "m.data-00000-of-00001"):
        whole = file.read_bytes()
        data = bytearray(whole)
        data[int(place * len(data))] ^= 1 << bit
        file.write_bytes(data)

        def read() -> None:
            found = {name: stored.read().numpy() for name, stored in read_bundle(tmp_path / "m")[1].items()}
            assert all(np.array_equal(found[name], array) for name, array in wanted.items())

        message = message_of(read)
        assert message is None or ("m.index" in message or "m.data" in message)
        file.write_bytes(whole)


def test_a_bundle_cut_off_anywhere_is_damaged(tmp_path: Path) -> None:
    write_bundle(tmp_path / "m", {"a": np.arange(6, dtype="<f4")})
    for file in (tmp_path / "m.index", tmp_path / "m.data-00000-of-00001"):
        whole = file.read_bytes()
        for length in range(0, len(whole), 3):
            file.write_bytes(whole[:length])
            with pytest.raises(CheckpointError):
                read_bundle(tmp_path / "m")
        file.write_bytes(whole)
    for file in (tmp_path / "m.data-00000-of-00001", tmp_path / "m.index"):
        file.unlink()
        with pytest.raises(CheckpointError, match="no such file"):
            read_bundle(tmp_path / "m")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (entry_of(np.zeros((2, 2), "<f4"), 0, 0, size=12), "does not agree with its size"),
        (entry_of(np.zeros((1 << 10, 1 << 10), "<f4"), 0, 0), "outside of its file"),
        (entry_of(np.zeros(2, "<f4"), 7, 0), "outside of its file"),
        (entry_of(np.zeros(2, "<f4"), 0, 2**62), "outside of its file"),
        (entry_of(np.zeros(2, "<f4"), 0, 0, kind=7), "another kind than numbers"),
        (entry_of(np.zeros(2, "<f4"), 0, 0) + field(7, b""), "cut into slices"),
        (field(2, field(2, field(1, 2**63))), "a shape that is not known"),
        (b"\x0f", "not understood"),
        (b"\xff" * 11, "a number is too long"),
        (b"\x12\x7f", "outside of its entry"),
    ],
    ids=str,
)
def test_an_entry_that_lies_is_refused(tmp_path: Path, entry: bytes, message: str) -> None:
    write_bundle(tmp_path / "m", {"a": np.zeros(2, "<f4")})
    (tmp_path / "m.index").write_bytes(table([(b"", field(1, 1)), (b"a", entry)]))
    with pytest.raises(CheckpointError, match=message):
        read_bundle(tmp_path / "m")


@pytest.mark.parametrize("header", [field(1, 1) + field(2, 1), field(1, 10**7), field(1, b"x")], ids=str)
def test_a_header_that_is_not_understood(tmp_path: Path, header: bytes) -> None:
    write_bundle(tmp_path / "m", {"a": np.zeros(2, "<f4")}, header=header)
    with pytest.raises(CheckpointError, match="header is not understood"):
        read_bundle(tmp_path / "m")


# --- GPT-2 in it


def as_openai(model: Any) -> dict[str, np.ndarray]:
    """The tensors of a GPT-2 of ``transformers`` under OpenAI's names and in their shapes."""
    found = {}
    for name, tensor in model.transformer.state_dict().items():
        name = name.replace("h.", "h", 1) if name.startswith("h.") else name
        parts = ["model", *name.split(".")]
        if parts[1] in ("wte", "wpe"):
            parts.pop()
        else:
            norm = parts[-2].startswith("ln_")
            parts[-1] = {"weight": "g" if norm else "w", "bias": "b"}[parts[-1]]
        array = tensor.numpy().astype("<f4")
        found["/".join(parts)] = array[None] if parts[-1] == "w" else array
    return found


@pytest.fixture
def openai(tmp_path: Path, hf_gpt2: Callable[..., Any], bpe: Tokenizer) -> tuple[Path, Any]:
    """A folder as OpenAI published GPT-2, and the same model in ``transformers``."""
    model = hf_gpt2(tmp_path / "hf")
    folder = tmp_path / "models" / "small"
    folder.mkdir(parents=True)
    write_bundle(folder / "model.ckpt", as_openai(model))
    (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt"\n', encoding="utf-8")
    shape = {"n_vocab": bpe.vocab_size, "n_ctx": 48, "n_embd": 32, "n_head": 4, "n_layer": 2}
    (folder / "hparams.json").write_text(json.dumps(shape), encoding="utf-8")
    bpe._inner.model.save(str(folder))
    names = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    names["<|endoftext|>"] = names.pop("<eos>")
    (folder / "encoder.json").write_text(json.dumps(names), encoding="utf-8")
    (folder / "vocab.json").unlink()
    (folder / "merges.txt").rename(folder / "vocab.bpe")
    return folder, model


def test_openai_s_files_give_the_logits_of_transformers(
    tmp_path: Path, openai: tuple[Path, Any], drive: Callable[..., Any], bpe: Tokenizer
) -> None:
    folder, model = openai
    run = drive(install(tmp_path / "runs", None, drive(read_gpt2(folder))))
    loaded = run.load()
    assert loaded.tokenizer.encode("the quick 注意力") == bpe.encode("the quick 注意力")
    ids = torch.randint(0, bpe.vocab_size, (2, 40), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model.logits(loaded.model(ids)), model(ids).logits, atol=1e-4, rtol=0)
    assert {file["name"] for file in run.imported()["files"]} == {
        "hparams.json", "model.ckpt.index", "model.ckpt.data-00000-of-00001", "encoder.json", "vocab.bpe",
    }  # fmt: skip


def test_openai_s_files_that_do_not_fit(tmp_path: Path, openai: tuple[Path, Any], drive: Callable[..., Any]) -> None:
    folder, _ = openai

    def refused(match: str) -> None:
        with pytest.raises(UserError, match=match):
            drive(install(tmp_path / "runs", None, drive(read_gpt2(folder))))
        assert not (tmp_path / "runs").exists()

    settings = folder / "hparams.json"
    whole = json.loads(settings.read_text(encoding="utf-8"))
    for changes, message in (
        ({"n_layer": 3}, r"the tensor 'h\.2\.ln_1\.weight' is missing"),
        ({"n_embd": 48}, r"'wte\.weight': its shape is"),
        ({"n_head": 0}, "n_head: found 0, expected a whole number above 0"),
    ):
        settings.write_text(json.dumps(whole | changes), encoding="utf-8")
        refused(message)
    settings.write_text(json.dumps({"n_head": 4}), encoding="utf-8")
    refused("n_layer: found nothing, expected a whole number above 0")
    settings.write_text(json.dumps(whole), encoding="utf-8")
    data = bytearray((folder / "model.ckpt.data-00000-of-00001").read_bytes())
    data[1000] ^= 1
    (folder / "model.ckpt.data-00000-of-00001").write_bytes(data)
    refused("a tensor does not match its checksum")
