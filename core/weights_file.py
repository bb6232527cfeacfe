"""A file of weights: safetensors, written flushed and with its checksum, read whole or refused."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from torch import Tensor

from .errors import CheckpointError
from .storage import MAX_WEIGHTS, read_bytes
from .text import first_line

DTYPES = {
    torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16",
    torch.int8: "I8", torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8",
}  # fmt: skip


def write_safetensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Write tensors in the safetensors format, flushed to the disk; returns size and SHA-256.

    Written here rather than by the library, which keeps a second copy of everything in memory, makes the file
    0600 whatever the umask, and does not flush it.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    offset = 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for piece in (struct.pack("<Q", len(head)), head):
            file.write(piece)
            digest.update(piece)
        for tensor in tensors.values():
            raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
            file.write(raw)
            digest.update(raw)
        file.flush()
        os.fsync(file.fileno())
        return file.tell(), digest.hexdigest()


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Raises ``CheckpointError`` when the file is not whole."""
    data = read_bytes(path, limit=min(MAX_WEIGHTS, psutil.virtual_memory().total), error=CheckpointError)
    try:
        return dict(parse_safetensors(data))
    except (SafetensorError, ValueError, KeyError, RuntimeError) as problem:
        reason = first_line(problem)
        raise CheckpointError("{file}: damaged: {reason}", file=str(path), reason=reason) from None
