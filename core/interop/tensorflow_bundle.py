"""A checkpoint of TensorFlow ("tensor bundle") without TensorFlow: OpenAI published GPT-2 as such.

``model.ckpt.index`` is a table of names and protocol messages (BundleEntryProto: kind, shape, shard, place, size,
CRC-32C); the numbers lie in ``model.ckpt.data-00000-of-00001`` as they are. (tensorflow/core/protobuf/
tensor_bundle.proto)
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError, Phrase
from ..storage import open_regular, read_bytes
from .crc32c import crc32c, masked
from .leveldb_table import BadTable, read_table, varint
from .tensors import Stored, elements

MAX_INDEX = 64_000_000  # GPT-2's has 5 to 15 kB
_KINDS = {1: torch.float32, 2: torch.float64, 3: torch.int32, 9: torch.int64, 14: torch.bfloat16, 19: torch.float16}


def read_bundle(prefix: Path) -> tuple[list[Path], dict[str, Stored]]:
    """The files of a bundle, and its tensors by name. ``prefix`` is what their names have in common.

    Raises ``CheckpointError`` for a missing or damaged file, and where shapes and sizes do not agree.
    """
    index = prefix.with_name(prefix.name + ".index")
    data = read_bytes(index, limit=MAX_INDEX, error=CheckpointError)
    try:
        entries = dict(read_table(data))
        header = dict(_fields(entries.pop(b"", b"")))
        shards = header.get(1, 1)
        if header.get(2, 0) or not isinstance(shards, int) or not 1 <= shards <= 10_000:
            raise _bad("its header is not understood, or big-endian")
        files = [prefix.with_name(f"{prefix.name}.data-{shard:05}-of-{shards:05}") for shard in range(shards)]
        sizes = []
        for file in files:
            with open_regular(file, CheckpointError) as opened:
                sizes.append(os.fstat(opened.fileno()).st_size)
        found = {name.decode("utf-8"): _stored(entry, files, sizes) for name, entry in entries.items()}
    except (BadTable, UnicodeDecodeError, struct.error) as problem:
        raise CheckpointError("{file}: damaged: {reason}", file=str(index), reason=str(problem)) from None
    return [index, *files], found


def _stored(entry: bytes, files: list[Path], sizes: list[int]) -> Stored:
    kind = shard = offset = size = crc = 0
    shape: list[int] = []
    for field, value in _fields(entry):
        if field == 2 and isinstance(value, bytes):
            shape = [_dimension(dim) for number, dim in _fields(value) if number == 2 and isinstance(dim, bytes)]
        elif field == 7:
            raise _bad("a tensor is cut into slices, which GPT-2's are not")
        elif isinstance(value, int):
            kind, shard, offset, size, crc = (
                value if field == number else old
                for number, old in ((1, kind), (3, shard), (4, offset), (5, size), (6, crc))
            )
    if kind not in _KINDS:
        raise _bad("a tensor of another kind than numbers")
    dtype = _KINDS[kind]
    if elements(tuple(shape)) * dtype.itemsize != size:
        raise _bad("the shape of a tensor does not agree with its size")
    if shard >= len(files) or offset + size > sizes[shard]:
        raise _bad("a tensor lies outside of its file, which is cut off")
    return Stored(tuple(shape), dtype, partial(_read, files[shard], offset, size, crc, dtype, tuple(shape)))


def _bad(template: str) -> BadTable:
    return BadTable(Phrase(template))


def _dimension(message: bytes) -> int:
    size = dict(_fields(message)).get(1, 0)
    if not isinstance(size, int) or size >= 2**40:
        raise _bad("a shape that is not known")
    return size


def _read(file: Path, offset: int, size: int, crc: int, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    with open_regular(file, CheckpointError) as opened:
        opened.seek(offset)
        data = bytearray(opened.read(size))
    if len(data) != size or masked(crc32c(data)) != crc:
        raise CheckpointError("{file}: damaged: a tensor does not match its checksum", file=str(file))
    return torch.frombuffer(data, dtype=dtype).reshape(shape) if size else torch.empty(shape, dtype=dtype)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of a protocol message: whole numbers, and bytes for texts and inner messages."""
    place = 0
    while place < len(message):
        tag, place = varint(message, place)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            number, place = varint(message, place)
            yield field, number
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            yield field, struct.unpack("<Q" if wire == 1 else "<I", message[place : place + size])[0]
            place += size
        elif wire == 2:
            size, place = varint(message, place)
            if place + size > len(message):
                raise _bad("a message lies outside of its entry")
            yield field, message[place : place + size]
            place += size
        else:
            raise _bad("a message that is not understood")
