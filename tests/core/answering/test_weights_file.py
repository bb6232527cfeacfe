"""Files of weights: any safetensors reader takes ours, and what is none is one line."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from core.errors import CheckpointError
from core.weights_file import read_safetensors, write_safetensors

WEIGHTS = {
    "a.weight": torch.full((3, 4), 1.0),
    "a.bias": torch.arange(5, dtype=torch.bfloat16),
    "b.int8": torch.tensor([[-127, 127]], dtype=torch.int8),
    "scalar": torch.tensor(1.0),
    "empty": torch.zeros(0, 3),
}


def test_our_files_are_safetensors_files(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    size, digest = write_safetensors(path, WEIGHTS)
    assert size == path.stat().st_size
    assert len(digest) == 64
    for found in (load_file(path), read_safetensors(path)):
        assert sorted(found) == sorted(WEIGHTS)
        for name, tensor in WEIGHTS.items():
            assert found[name].dtype == tensor.dtype
            assert found[name].shape == tensor.shape
            assert torch.equal(found[name], tensor)


def test_tensors_that_are_views_are_written_as_they_look(tmp_path: Path) -> None:
    base = torch.arange(12.0).view(3, 4)
    tensors = {"turned": base.T, "part": base[:, 1:3], "grad": torch.ones(2, requires_grad=True)}
    write_safetensors(tmp_path / "x", tensors)
    found = read_safetensors(tmp_path / "x")
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor.detach())


def test_the_data_begins_at_a_multiple_of_eight(tmp_path: Path) -> None:
    for length in range(1, 9):
        write_safetensors(tmp_path / "x", {"n" * length: torch.ones(1)})
        (header,) = struct.unpack("<Q", (tmp_path / "x").read_bytes()[:8])
        assert header % 8 == 0


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 8, b"\xff" * 100, struct.pack("<Q", 10**12) + b"{}", b"PK\3\4 a pickle?"]
)
def test_what_is_no_safetensors_file_is_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged") as problem:
        read_safetensors(tmp_path / "x")
    assert "\n" not in str(problem.value)
