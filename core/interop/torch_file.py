"""Files of torch.save, its zip since 2020 and the row of pickles before that, read without running anything in them.

Both hold a pickle of names and shapes, and the numbers apart: in the zip as uncompressed members, in the old form one
after the other behind the pickle. Hugging Face's first GPT-2 is of the old form.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from ..errors import CheckpointError, Phrase
from ..storage import open_regular
from .pickles import BadPickle, Name, read_pickle
from .tensors import Stored, elements

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {
    "FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
    "QInt8Storage": torch.int8, "QUInt8Storage": torch.uint8, "QInt32Storage": torch.int32,
}  # fmt: skip

#: What the zip module raises for a damaged file, an encrypted one, and one that cannot be read.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, KeyError, RuntimeError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True)
class QuantizedTensor:
    """Stands for a tensor that torch has quantized: known, but not read."""


@dataclass(frozen=True)
class _Storage:
    """The flat memory that tensors are views of."""

    key: str
    dtype: torch.dtype
    numel: int

    @property
    def bytes(self) -> int:
        return self.numel * self.dtype.itemsize


def read_torch_file(path: Path) -> Any:
    """What was saved: dicts, lists, numbers and texts, with ``Stored`` for each tensor.

    Raises ``CheckpointError`` for what is no such file, is damaged, or would run a program.
    """
    try:
        with open_regular(path, CheckpointError) as file:
            if zipfile.is_zipfile(file):
                return _read_zip(file, path)
            file.seek(0)
            return _read_legacy(file, path)
    except BadPickle as problem:
        raise CheckpointError(
            "{file}: refused, as only weights are read and no program is run: {problem}",
            file=str(path), problem=str(problem),
        ) from None  # fmt: skip
    except _DAMAGE as problem:
        raise _damaged(path, str(problem).split("\n")[0][:160]) from None


def _bad(template: str) -> BadPickle:
    return BadPickle(Phrase(template))


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError("{file}: damaged: {reason}", file=str(path), reason=reason)


def _read_zip(file: IO[bytes], path: Path) -> Any:
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise CheckpointError("{file}: a zip, but not one of torch.save: it has no data.pkl", file=str(path))
        folder = pickles[0].removesuffix("data.pkl")
        if not _is_little_endian(archive, members.get(f"{folder}byteorder")):
            raise CheckpointError("{file}: its numbers are big-endian, which is not supported", file=str(path))

        def check(storage: _Storage) -> None:
            info = members.get(f"{folder}data/{storage.key}")
            if info is None:
                raise _damaged(path, Phrase("its part {name} is missing", name=f"data/{storage.key}"))
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != storage.bytes:
                sizes = {"name": info.filename, "size": info.file_size, "expected": storage.bytes}
                raise _damaged(path, Phrase("its part {name} has {size} bytes, expected {expected}", **sizes))

        with archive.open(members[pickles[0]]) as data:
            views = _Views(path, check, lambda storage: partial(_from_zip, path, f"{folder}data/{storage.key}"))
            value = views.read(data)
    views.settle()
    return value


def _is_little_endian(archive: zipfile.ZipFile, info: zipfile.ZipInfo | None) -> bool:
    if info is None:  # before 2022 nothing was said, and nothing else existed
        return True
    with archive.open(info) as member:
        return member.read(8) == b"little"


def _from_zip(path: Path, name: str) -> bytearray:
    """The bytes of a member; its checksum is compared as its end is reached."""
    try:
        with (
            open_regular(path, CheckpointError) as file,
            zipfile.ZipFile(file) as archive,
            archive.open(name) as data,
        ):
            return bytearray(data.read())
    except _DAMAGE as problem:
        raise _damaged(path, str(problem).split("\n")[0][:160]) from None


def _read_legacy(file: IO[bytes], path: Path) -> Any:
    plain = _Views(path, lambda storage: None, lambda storage: partial(bytearray))
    magic = None
    try:
        magic = plain.read(file)
        version, system = plain.read(file), plain.read(file)
    except BadPickle:
        if magic == _LEGACY_MAGIC:
            raise
    if magic != _LEGACY_MAGIC:
        raise CheckpointError("{file}: not a file that torch.save has written", file=str(path))
    if version != 1001 or not isinstance(system, dict) or system.get("little_endian") is not True:
        raise CheckpointError("{file}: of a machine or a version of torch that is not supported", file=str(path))
    places: dict[str, int] = {}
    views = _Views(path, lambda storage: None, lambda storage: partial(_from_legacy, path, places, storage))
    value = views.read(file)
    keys = plain.read(file)
    size = os.fstat(file.fileno()).st_size
    for key in keys if isinstance(keys, list) else []:
        storage = views.storages.get(key)
        if storage is None:
            raise _damaged(path, Phrase("it has numbers for no tensor"))
        (count,) = struct.unpack("<q", file.read(8))
        places[key] = file.tell()
        if count != storage.numel or places[key] + storage.bytes > size:
            raise _damaged(path, Phrase("it ends within its numbers"))
        file.seek(storage.bytes, os.SEEK_CUR)
    if places.keys() != views.storages.keys():
        raise _damaged(path, Phrase("numbers of a tensor are missing"))
    views.settle()
    return value


def _from_legacy(path: Path, places: dict[str, int], storage: _Storage) -> bytearray:
    with open_regular(path, CheckpointError) as file:
        file.seek(places[storage.key])
        return bytearray(file.read(storage.bytes))


class _Views:
    """Makes ``Stored`` tensors of what a pickle says, after checking that they lie within their storage."""

    def __init__(
        self,
        path: Path,
        check: Callable[[_Storage], None],
        reader: Callable[[_Storage], Callable[[], bytearray]],
    ) -> None:
        self._path, self._check, self._reader = path, check, reader
        self.storages: dict[str, _Storage] = {}
        self._claimed = 0

    def read(self, file: IO[bytes]) -> Any:
        functions: dict[str, Callable[..., Any]] = {
            "collections.OrderedDict": self._ordered,
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_parameter": lambda data, *_rest: data,
            "torch._utils._rebuild_qtensor": lambda *_all: QuantizedTensor(),
        }
        return read_pickle(file, functions, self._harmless, self._storage)

    @staticmethod
    def _harmless(name: Name) -> bool:
        """Storages, and torch's data types: names that stand for themselves."""
        return name.module == "torch" and (
            name.name in _STORAGES or isinstance(getattr(torch, name.name, None), (torch.dtype, torch.qscheme))
        )

    @staticmethod
    def _ordered(*items: Any) -> dict[Any, Any]:
        if items and items != ([],):
            raise _bad("a dict made of a list")
        return {}

    def _storage(self, identity: Any) -> _Storage:
        match identity:
            case ("storage", Name(module="torch", name=kind), str(key), str(_), int(numel), *_rest) if (
                kind in _STORAGES and 0 <= numel < 2**40 and key.isalnum()
            ):
                storage = _Storage(key, _STORAGES[kind], numel)
            case _:
                raise _bad("it refers to something that is no storage of numbers")
        if self.storages.setdefault(key, storage) != storage:
            raise _bad("one storage of two kinds")
        self._check(storage)
        return storage

    def _tensor(self, storage: Any, offset: Any, size: Any, stride: Any, *_rest: Any) -> Stored:
        numbers = [offset, *size, *stride]
        if not isinstance(storage, _Storage) or len(size) != len(stride) or len(size) > 8:
            raise _bad("a tensor without storage")
        if not all(type(number) is int and 0 <= number < 2**40 for number in numbers):
            raise _bad("a tensor with an impossible shape")
        last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
        if elements(size) and (last >= storage.numel or elements(size) > storage.numel):
            raise _bad("a tensor larger than its numbers")
        self._claimed += elements(size) * storage.dtype.itemsize
        read = partial(_view, self._path, self._reader(storage), storage, offset, tuple(size), tuple(stride))
        return Stored(tuple(size), storage.dtype, read)

    def settle(self) -> None:
        """After all tensors: a tied matrix counts twice, but a thousand tensors on one storage are no model."""
        if self._claimed > 4 * sum(storage.bytes for storage in self.storages.values()):
            raise _bad("its tensors are many times larger than its numbers")


def _view(
    path: Path,
    read: Callable[[], bytearray],
    storage: _Storage,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
) -> Tensor:
    if not elements(size):
        return torch.empty(size, dtype=storage.dtype)
    data = read()
    if len(data) != storage.bytes:
        raise _damaged(path, Phrase("it ends within its numbers"))
    flat = torch.frombuffer(data, dtype=storage.dtype)
    return torch.as_strided(flat, size, stride, offset)
