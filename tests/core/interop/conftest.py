"""What several tests of foreign files need: a generator driven to its end, a folder as ``transformers`` saves it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import torch

from core.events import Event
from core.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def drive() -> Callable[..., Any]:
    """A function that runs a generator of events to its end: its result, the events in the list given with it."""

    def run(steps: Generator[Event, None, Any], events: list[Event] | None = None) -> Any:
        while True:
            try:
                event = next(steps)
            except StopIteration as end:
                return end.value
            if events is not None:
                events.append(event)

    return run


@pytest.fixture(scope="session")
def hf_gpt2(bpe: Tokenizer) -> Callable[..., Any]:
    """A function that saves a GPT-2 of ``transformers`` with random weights into a folder, and returns it.

    Weights ten times as large as fresh ones: a transposed matrix or a lost bias must show.
    """
    import transformers

    def save(folder: Path, **settings: Any) -> Any:
        torch.manual_seed(0)
        shape = {"n_positions": 48, "n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": bpe.vocab_size}
        ends = {"bos_token_id": bpe.bos, "eos_token_id": bpe.eos, "pad_token_id": None}
        model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**{**shape, **ends, **settings})).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
        folder.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(folder)
        (folder / "tokenizer.json").write_text(bpe.to_json(), encoding="utf-8")
        return model

    return save
