"""torch.save's files, old and new: the same tensors as torch reads, and never a program that runs."""

from __future__ import annotations

import io
import os
import pickle
import struct
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from core.errors import CheckpointError
from core.interop.tensors import Stored
from core.interop.torch_file import QuantizedTensor, read_torch_file

MATRIX = torch.arange(12, dtype=torch.float32).reshape(3, 4)
STATE = OrderedDict(
    a=MATRIX, b=MATRIX.to(torch.bfloat16), c=torch.tensor([1, 2], dtype=torch.int64), turned=MATRIX.t(),
    part=MATRIX[1], one=torch.tensor(3.5), none=torch.empty(0, 4), mask=torch.tensor([True, False]),
)  # fmt: skip
VALUE = {"model": STATE, "cfg": {"n": 3, "rate": 1e-3, "names": ["x", "水"], "none": None, "yes": True, "t": (1, 2)}}


def write(path: Path, value: Any, old: bool = False) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not old)
    return path


def plain(value: Any) -> Any:
    """With tensors in the place of those that still lie in the file."""
    if isinstance(value, Stored):
        return value.read()
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 2020"])
def test_it_is_what_torch_reads(tmp_path: Path, old: bool) -> None:
    found = read_torch_file(write(tmp_path / "a.pt", VALUE, old))
    assert found["cfg"] == VALUE["cfg"]
    assert list(found["model"]) == list(STATE)
    for name, tensor in STATE.items():
        stored = found["model"][name]
        assert (stored.shape, stored.dtype) == (tuple(tensor.shape), tensor.dtype)
        assert torch.equal(stored.read(), tensor)


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 2020"])
def test_a_module_s_state_with_tied_parameters(tmp_path: Path, old: bool) -> None:
    module = nn.ModuleDict({"a": nn.Linear(3, 3, bias=False), "b": nn.Linear(3, 3, bias=False)})
    module["b"].weight = module["a"].weight
    found = read_torch_file(write(tmp_path / "a.pt", {"sd": module.state_dict(), "p": module["a"].weight}, old))
    assert torch.equal(found["sd"]["b.weight"].read(), module["a"].weight)
    assert torch.equal(found["p"].read(), module["a"].weight)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_every_pickle_protocol(tmp_path: Path, protocol: int) -> None:
    torch.save(VALUE, tmp_path / "a.pt", pickle_protocol=protocol)
    if protocol == 0:  # its ids of storages are text, which torch cannot read either
        with pytest.raises(CheckpointError, match="refused"):
            read_torch_file(tmp_path / "a.pt")
    else:
        assert read_torch_file(tmp_path / "a.pt")["cfg"] == VALUE["cfg"]


# --- what would run a program, or fill the memory


class Runs:
    """Calls a function as it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 2020"])
@pytest.mark.parametrize("place", ["instead", "beside", "inside"])
def test_a_program_in_it_is_not_run(tmp_path: Path, old: bool, place: str) -> None:
    trap = tmp_path / "ran"
    attack = Runs(os.mkdir, str(trap))
    values = {
        "instead": attack,
        "beside": {"model": {"a": MATRIX}, "cfg": attack},
        "inside": {"model": {"a": MATRIX, "b": [attack]}},
    }
    path = write(tmp_path / "a.pt", values[place], old)
    with pytest.raises(CheckpointError, match=r"a\.pt: refused, as only weights are read .*\bposix\.mkdir|nt\.mkdir"):
        read_torch_file(path)
    assert not trap.exists()
    torch.load(path, weights_only=False)  # the attack is a real one
    assert trap.exists()


# An address in a name would differ between the processes that the suite runs in.
@pytest.mark.parametrize(
    "function", [eval, getattr, setattr, print, torch.load, torch.nn.Linear], ids=lambda function: function.__name__
)
def test_no_function_can_be_called(tmp_path: Path, function: Any) -> None:
    with pytest.raises(CheckpointError, match="refused"):
        read_torch_file(write(tmp_path / "a.pt", {"a": Runs(function, "1")}))


def test_a_whole_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"refused.*torch\.nn\.modules\.linear\.Linear"):
        read_torch_file(write(tmp_path / "a.pt", nn.Linear(2, 2)))


def zip_with(path: Path, data: bytes, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a/data.pkl", data)
        for name, content in members.items():
            archive.writestr(f"a/{name}", content)
    return path


class Storage:
    """Stands for a storage of which the test decides what the pickle says."""

    def __init__(self, *identity: Any) -> None:
        self.identity = identity


class View:
    """A tensor of which the test decides the shape."""

    def __init__(self, storage: Any, offset: Any, size: Any, stride: Any) -> None:
        self.arguments = (storage, offset, size, stride, False, OrderedDict())

    def __reduce__(self) -> Any:
        return torch._utils._rebuild_tensor_v2, self.arguments


class StoragesApart(pickle.Pickler):
    """Puts the names of storages into the file, as torch does."""

    def persistent_id(self, item: Any) -> Any:
        return item.identity if isinstance(item, Storage) else None


def pickled(value: Any) -> bytes:
    buffer = io.BytesIO()
    StoragesApart(buffer, 2).dump(value)
    return buffer.getvalue()


def floats(count: int, key: str = "0") -> Storage:
    return Storage("storage", torch.FloatStorage, key, "cpu", count)


FOUR = {"data/0": struct.pack("<4f", 1, 2, 3, 4)}


def test_the_files_of_these_tests_are_right_where_they_should_be(tmp_path: Path) -> None:
    path = zip_with(tmp_path / "a.pt", pickled({"a": View(floats(4), 0, (2, 2), (2, 1))}), FOUR)
    assert torch.equal(read_torch_file(path)["a"].read(), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (View(floats(4), 0, (2, 3), (3, 1)), "larger than its numbers"),
        (View(floats(4), 3, (2,), (1,)), "larger than its numbers"),
        (View(floats(4), 0, (1 << 30, 1 << 30), (0, 0)), "larger than its numbers"),
        (View(floats(4), -1, (2,), (1,)), "impossible shape"),
        (View(floats(4), 0, (2,), (-1,)), "impossible shape"),
        (View(floats(4), 0, ("2",), (1,)), "impossible shape"),
        (View(floats(4), 0, (2, 2), (1,)), "without storage"),
        (View("no storage", 0, (2,), (1,)), "without storage"),
        (View(floats(5), 0, (5,), (1,)), "has 16 bytes, expected 20"),
        (View(floats(4, "1"), 0, (4,), (1,)), "data/1 is missing"),
        (View(floats(4, "../0"), 0, (4,), (1,)), "no storage of numbers"),
        (View(Storage("module", torch.FloatStorage, "0", "cpu", 4), 0, (4,), (1,)), "no storage of numbers"),
        (View(Storage("storage", os.system, "0", "cpu", 4), 0, (4,), (1,)), "which no file of weights needs"),
        ([View(floats(4), 0, (4,), (1,)), View(floats(2), 0, (2,), (1,))], "one storage of two kinds"),
        ([View(floats(4), 0, (4,), (1,)) for _ in range(9)], "many times larger"),
    ],
)  # fmt: skip
def test_a_shape_that_lies_is_refused(tmp_path: Path, view: Any, message: str) -> None:
    path = zip_with(tmp_path / "a.pt", pickled({"a": view}), FOUR)
    with pytest.raises(CheckpointError, match=message):
        read_torch_file(path)


NESTED = b"\x80\x02)" + b"\x86".join([b"q\x00h\x00"] * 60) + b"\x86"  # () paired with itself, and that with itself, …


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends too early|no pickle"),
        (b"\x80\x02", "ends too early|no pickle"),
        (b"\x80\x02.", "no pickle"),
        (b"\x80\x02h\x05.", "no pickle"),
        (b"\x80\x02\x86.", "empty stack"),
        (b"\x80\x02u.", "a mark is missing"),
        (b"\x80\x02}" + NESTED[2:] + b"K\x01s.", "a key that is no text"),
        (b"\x80\x02NNNs.", "cannot be filled|no text"),
        (b"\x80\x02}K\x01K\x02b.", "sets attributes"),
        (b"\x80\x02cos\nsystem\nq\x00.", "os.system"),
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"(S'true'\nios\nsystem\n.", "INST"),
        (b"\x80\x02cbuiltins\neval\n)\x81.", "builtins.eval"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02X\xff\xff\xff\x7fa.", "too long|no pickle"),
    ],
)
def test_a_pickle_that_is_none(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_torch_file(zip_with(tmp_path / "a.pt", data, FOUR))


def test_a_pickle_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.interop.pickles.MAX_INSTRUCTIONS", 1000)
    path = zip_with(tmp_path / "a.pt", b"\x80\x02" + b"N0" * 1000 + b"N.", FOUR)
    with pytest.raises(CheckpointError, match="too long"):
        read_torch_file(path)


def test_compressed_numbers_are_refused(tmp_path: Path) -> None:
    """They could unpack to a million times their size."""
    value = pickled({"a": View(floats(4), 0, (4,), (1,))})
    with pytest.raises(CheckpointError, match="has 16 bytes"):
        read_torch_file(zip_with(tmp_path / "a.pt", value, FOUR, zipfile.ZIP_DEFLATED))


def test_other_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match=r"it has no data\.pkl"):
        read_torch_file(other)
    for content in (b"", b"\x00" * 100, b"hello\n" * 30, pickle.dumps({"a": 1})):
        other.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"not a file that torch\.save has written"):
            read_torch_file(other)
    with pytest.raises(CheckpointError, match="is a folder"):
        read_torch_file(tmp_path)
    with pytest.raises(CheckpointError, match="no such file"):
        read_torch_file(tmp_path / "none")
    data = pickled({"a": View(floats(4), 0, (4,), (1,))})
    with pytest.raises(CheckpointError, match="big-endian"):
        read_torch_file(zip_with(other, data, {**FOUR, "byteorder": b"big"}))


def test_int8_of_torch_is_known_but_not_read(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that it will take this away
        quantized = torch.quantize_per_tensor(MATRIX, 0.1, 0, torch.qint8)
        write(tmp_path / "a.pt", {"w": quantized, "dtype": torch.qint8})
    found = read_torch_file(tmp_path / "a.pt")
    assert isinstance(found["w"], QuantizedTensor)


# --- damage


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 2020"])
def test_a_file_cut_off_anywhere_is_damaged(tmp_path: Path, old: bool) -> None:
    whole = write(tmp_path / "a.pt", {"model": {"a": MATRIX, "b": MATRIX[0].clone()}}, old).read_bytes()
    cut = tmp_path / "cut.pt"
    for length in range(0, len(whole), 7):
        cut.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            plain(read_torch_file(cut))


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_of_the_numbers_is_found(tmp_path: Path, place: float, bit: int) -> None:
    """Fault 15's cousin: torch itself loads such a file without a word."""
    path = write(tmp_path / "a.pt", {"a": MATRIX})
    data = bytearray(path.read_bytes())
    start = data.index(MATRIX.numpy().tobytes())
    data[start + int(place * 48)] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        plain(read_torch_file(path))


changes_of_bytes = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=6)), min_size=1, max_size=4
)


@given(old=st.booleans(), changes=changes_of_bytes)
def test_damage_ends_in_a_line_and_no_other_error(
    tmp_path: Path, message_of: Callable[[Callable[[], object]], str | None], old: bool,
    changes: list[tuple[float, bytes]],
) -> None:  # fmt: skip
    path = write(tmp_path / "a.pt", VALUE, old)
    data = bytearray(path.read_bytes())
    for place, content in changes:
        at = int(place * len(data))
        data[at : at + len(content)] = content
    path.write_bytes(data)
    message = message_of(lambda: plain(read_torch_file(path)))
    assert message is None or (str(path) in message and "\n" not in message)


def test_tensors_of_torch_are_what_the_tests_compare(tmp_path: Path) -> None:
    assert all(isinstance(value, Tensor) for value in plain(read_torch_file(write(tmp_path / "a", STATE))).values())
