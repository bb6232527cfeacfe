"""safetensors, one file or several with an index, read tensor by tensor."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import CheckpointError
from ..storage import open_regular
from ..text import first_line
from ..weights_file import DTYPES
from .tensors import Stored

_KNOWN = {name: dtype for dtype, name in DTYPES.items()} | {
    "F64": torch.float64, "I16": torch.int16, "BOOL": torch.bool,
}  # fmt: skip


def read_safetensors_file(path: Path) -> dict[str, Stored]:
    """Its tensors by name, none of them read yet. Raises ``CheckpointError`` when the file is not whole."""
    open_regular(path, CheckpointError).close()
    found: dict[str, Stored] = {}
    try:
        with safe_open(str(path), framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a dict
                view = file.get_slice(name)
                kind = view.get_dtype()
                if kind not in _KNOWN:
                    raise CheckpointError("{file}: tensor '{name}': numbers of kind {kind} are not supported",
                                          file=str(path), name=name, kind=kind)  # fmt: skip
                found[name] = Stored(tuple(view.get_shape()), _KNOWN[kind], partial(_read, path, name))
    except (SafetensorError, OSError, ValueError) as problem:
        raise _damaged(path, problem) from None
    return found


def _read(path: Path, name: str) -> Tensor:
    try:
        with safe_open(str(path), framework="pt") as file:
            tensor: Tensor = file.get_tensor(name)
            return tensor
    except (SafetensorError, OSError, ValueError) as problem:
        raise _damaged(path, problem) from None


def _damaged(path: Path, problem: Exception) -> CheckpointError:
    reason = first_line(problem)
    return CheckpointError("{file}: damaged: {reason}", file=str(path), reason=reason)
