"""A model from elsewhere, its vocabulary and where it came from become an ordinary run: whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import checkpoint, machine
from ..config import Config
from ..errors import CheckpointError, RunError
from ..events import Event, Notice, Quantized, Saved, State
from ..model import GPT
from ..quantize import quantize_weights
from ..runs import Run, new_run
from ..skeleton import skeleton
from ..storage import atomic_folder, file_sha256, make_private_folder
from ..tokenizer import Tokenizer
from .tensors import shape_text


@dataclass(frozen=True)
class Foreign:
    """All that a run is made of."""

    config: Config
    tokenizer: Tokenizer
    weights: dict[str, Tensor]
    """This program's own names, fp32."""
    about: dict[str, Any]
    """See ``provenance``."""
    name: str
    """What the run is called where nothing else is said."""


def provenance(kind: str, source: str | Path, files: Sequence[Path], **more: Any) -> dict[str, Any]:
    """Where a model came from: kind of source, place, and each file with its size and SHA-256."""
    return {
        "kind": kind,
        "source": str(source),
        "files": [
            {"name": file.name, "bytes": file.stat().st_size, "sha256": file_sha256(file, CheckpointError)}
            for file in files
        ],
        "imported_at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **more,
    }  # fmt: skip


def free_name(runs: Path, name: str) -> None:
    """Raises ``RunError`` where a run cannot be called so: before gigabytes are read, not after."""
    run = new_run(runs, name, "")
    if run.path.exists():
        raise RunError("{run}: there is something of this name already; choose another --run name", run=str(run.path))


def install(runs: Path, name: str | None, foreign: Foreign) -> Generator[Event, None, Run]:
    """Write the run, with an int8 checkpoint beside the weights; returns it.

    Everything is written into a hidden folder that gets its name at the end, so that whatever fails leaves nothing
    behind. Raises ``CheckpointError`` where the parts do not fit together, ``RunError`` where nothing can be written.
    """
    foreign = yield from _without_spare_rows(foreign)
    foreign = replace(foreign, config=_with_vocabulary(foreign.config, foreign.tokenizer))
    model = _fitting(foreign)
    if name is not None:
        free_name(runs, name)
    run = Run(runs / (name or _unused(runs, foreign.name)))
    try:
        make_private_folder(runs)
        with atomic_folder(run.path, mode=0o700) as hidden:
            written, small = yield from _write(Run(hidden), run, model, foreign)
            if run.path.exists():
                free_name(runs, run.name)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise RunError("{run}: cannot be written: {reason}", run=str(run.path), reason=reason) from None
    folders = checkpoint.step_folder(run.checkpoints, 0), run.checkpoints / "int8"
    yield Saved(0, str(folders[0]), "last", written)
    yield Quantized(0, str(folders[1]), small, written, 1.0, 0, 0.0, 0.0)
    return run


def _write(hidden: Run, run: Run, model: GPT, foreign: Foreign) -> Generator[Event, None, tuple[int, int]]:
    """The files of the run; returns the sizes of its two checkpoints."""
    vocabulary = foreign.tokenizer.to_json()
    state = {
        "step": 0,
        "config": foreign.config.to_dict(),
        "dtype": "fp32",
        "tokenizer_sha256": foreign.tokenizer.fingerprint(),
        "run": run.name,
        "imported": foreign.about,
        "code": machine.code_version(),
        "torch": torch.__version__,
    }
    yield State("saving")
    written = checkpoint.save(checkpoint.step_folder(hidden.checkpoints, 0), state, vocabulary, foreign.weights)
    small = quantize_weights(model, foreign.weights)
    size = checkpoint.save(hidden.checkpoints / "int8", state | {"dtype": "int8"}, vocabulary, small)
    hidden.save_tokenizer(foreign.tokenizer)
    hidden.write_report({
        "run": run.name,
        "recipe": foreign.config.recipe,
        "imported": foreign.about,
        "steps": 0,
        "parameters": sum(weight.numel() for weight in foreign.weights.values()),
        "int8": {"bytes": size, "fp32_bytes": written},
        "machine": machine.describe(),
        "settings": foreign.config.to_dict(),
    })  # fmt: skip
    hidden.save_config(foreign.config)
    return written, size


def _unused(runs: Path, name: str) -> str:
    """``name``, or with the first number behind it that no run has."""
    number, found = 1, name
    while (runs / found).exists():
        number += 1
        found = f"{name}-{number}"
    return found


def _without_spare_rows(foreign: Foreign) -> Generator[Event, None, Foreign]:
    """Some models have more rows than their vocabulary has tokens, to fill a multiple of 64; no text ever reaches
    those. Fewer rows than tokens do not belong together."""
    rows, tokens = len(foreign.weights["embed.weight"]), foreign.tokenizer.vocab_size
    if rows < tokens:
        raise CheckpointError(
            "{source}: its vocabulary has {tokens} tokens, its weights only {rows}: they do not belong together",
            source=foreign.about["source"], tokens=tokens, rows=rows,
        )  # fmt: skip
    if rows == tokens:
        return foreign
    yield Notice(
        "{rows} rows of the embedding left out: the vocabulary has no tokens for them", {"rows": rows - tokens}
    )
    weights = dict(foreign.weights)
    for name in {"embed.weight", "head.weight"} & weights.keys():
        weights[name] = weights[name][:tokens].clone()
    return replace(foreign, weights=weights)


def _with_vocabulary(config: Config, tokenizer: Tokenizer) -> Config:
    """The settings of the vocabulary as it is; those of a training would say what was asked for, which nobody did."""
    return config.update(tokenizer={
        "kind": "bpe" if tokenizer.byte_level else "char", "vocab_size": max(260, tokenizer.vocab_size),
        "max_token_length": None, "pieces": "words", "path": None,
    })  # fmt: skip


def _fitting(foreign: Foreign) -> GPT:
    """The model of these settings, without memory; its tensors are those of ``weights`` by name and shape."""
    model = skeleton(foreign.config.model, foreign.tokenizer.vocab_size)
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in foreign.weights.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise CheckpointError(
                "{source}: tensor '{name}': {found} does not fit the settings, which want {wanted}",
                source=foreign.about["source"], name=name,
                found=shape_text(found.get(name, (0,))), wanted=shape_text(wanted.get(name, (0,))),
            )  # fmt: skip
    return model
