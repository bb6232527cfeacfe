"""Further training: the weights and the vocabulary of a checkpoint as the beginning of a new run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from . import checkpoint
from .config import Config
from .default import checkpoint_of
from .errors import CheckpointError, ConfigError
from .quantize import is_quantized
from .storage import file_sha256
from .tokenizer import Tokenizer


@dataclass(frozen=True)
class Start:
    """What a new run begins with, and what its report says of it."""

    tokenizer: Tokenizer
    weights: dict[str, Tensor]
    about: dict[str, Any]
    """run, checkpoint, step and the SHA-256 of the weights."""


def load_start(config: Config, runs: Path) -> Start | None:
    """The beginning that ``training.start_from`` names, a checkpoint's folder or a run of the folder ``runs``; None
    where the weights are to be fresh.

    Raises ``CheckpointError`` for weights that cannot be trained, ``RunError`` where there is no such run,
    ``ConfigError`` for another architecture.
    """
    require_start(config)
    if config.training.start_from is None:
        return None
    folder = Path(config.training.start_from)
    if not (folder / checkpoint.MANIFEST).is_file():
        folder = checkpoint_of(runs, config.training.start_from)[1]
    state, weights, _ = checkpoint.load(folder)
    if is_quantized(weights):
        raise CheckpointError("{path}: int8 weights cannot be trained further; choose another checkpoint",
                              path=str(folder))  # fmt: skip
    _check_architecture(config, state, folder)
    about = {
        "run": str(state.get("run") or folder.parent.parent.name),
        "checkpoint": folder.name,
        "step": int(state.get("step", 0)),
        "sha256": file_sha256(folder / "model.safetensors", CheckpointError),
    }
    return Start(Tokenizer.load(folder / "tokenizer.json"), weights, about)


def require_start(config: Config) -> None:
    """Raises ``ConfigError`` where the settings tune a trained model and none is named."""
    if config.training.start_required and config.training.start_from is None:
        raise ConfigError(
            "{recipe} tunes a model that is trained already; name one with --from RUN (training.start_from), such as "
            "GPT-2 after: gpt-tui import gpt2 124M; alpaca-tiny begins with a fresh one",
            recipe=config.recipe,
        )


def _check_architecture(config: Config, state: dict[str, Any], folder: Path) -> None:
    """Every setting that weights depend on must be as it was. Dropout may differ, and so may the context where
    positions are no weights."""
    stored = (state.get("config") or {}).get("model") or {}
    free = {"dropout"} | ({"seq_len"} if config.model.position == "rope" else set())
    for key, wanted in config.model.model_dump(mode="json").items():
        if key not in free and stored.get(key) != wanted:
            raise ConfigError(
                "model.{key}: {wanted} does not fit {path}, which has {stored}: "
                "further training keeps the architecture (gpt-tui train --from RUN takes it over)",
                key=key, wanted=wanted, path=str(folder), stored=stored.get(key),
            )  # fmt: skip


def settings_from(source: Config, config: Config, folder: Path) -> Config:
    """``config`` as it has to be for further training from ``folder``, a checkpoint made with ``source``: its
    architecture and vocabulary, the rest as given."""
    return config.with_shape_of(source).update({"training.start_from": str(folder.absolute())})
