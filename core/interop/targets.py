"""Where an export may be written: beside nobody's work, and over nothing that was not asked for."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch

from ..errors import CheckpointError, UserError
from ..runs import LoadedModel
from .architectures import Weights


def check_file(path: Path, force: bool) -> None:
    """Raises ``UserError`` where a file must not be written."""
    if path.is_dir():
        raise UserError("{path}: is a folder, expected a file", path=str(path))
    if path.exists() and not force:
        raise UserError("{path}: exists already; --force replaces it", path=str(path))


def check_folder(path: Path, force: bool, ours: Collection[str]) -> None:
    """Raises ``UserError`` where a folder must not be written: it is there, and ``force`` is not given or it holds
    more than the files that an export writes (``ours``). An empty folder may be filled."""
    if not path.exists():
        return
    if not path.is_dir():
        raise UserError("{path}: is not a folder", path=str(path))
    names = sorted(item.name for item in path.iterdir())
    other = [name for name in names if name not in ours]
    if other:
        raise UserError("{path}: holds other files ({name}); choose a folder of its own", path=str(path), name=other[0])
    if names and not force:
        raise UserError("{path}: exists already; --force replaces it", path=str(path))


def full_weights(loaded: LoadedModel) -> Weights:
    """The fp32 weights of a checkpoint by name. Raises ``CheckpointError`` for one that has none."""
    weights = dict(loaded.model.state_dict())
    if any(tensor.dtype == torch.int8 for tensor in weights.values()):
        raise CheckpointError(
            "{path}: its weights are rounded to int8; export the checkpoint 'last' or 'best'", path=str(loaded.path)
        )
    return weights
