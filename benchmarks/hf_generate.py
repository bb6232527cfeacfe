"""One answer at a time against ``transformers.generate`` with its cache, a Llama of the same shape and size.

``python -m benchmarks.hf_generate`` prints generated tokens a second of both, the prompt's own time left out of ours
and of theirs, for the teacher's 3.6 million parameters.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from core.bench.answers import model_in, prompt_ids, timed_answer
from core.config import Config
from core.tokenizer import Tokenizer

from . import common
from .hf_trainer import llama

PROMPT = 24


def own_rate(config: Config, tokenizer: Tokenizer, prompt: list[int], length: int) -> common.Side:
    model = model_in("fp32", config, tokenizer.vocab_size)
    return lambda: timed_answer(model, tokenizer, prompt, length).tokens_per_second


def generate_rate(model: Any, prompt: list[int], length: int) -> common.Side:
    """Tokens a second after the first."""
    ids = torch.tensor([prompt])

    def seconds(tokens: int) -> float:
        begin = time.perf_counter()
        model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False,
            use_cache=True, pad_token_id=0,
        )  # fmt: skip
        return time.perf_counter() - begin

    def side() -> float:
        first = seconds(1)
        return (length - 1) / (seconds(length) - first)

    return side


def decode_against(
    name: str,
    other: Callable[[Config, Tokenizer, list[int], int, Path], common.Side],
    doc: str | None,
    arguments: list[str] | None,
) -> None:
    """One stream of the teacher's shape here and elsewhere; ``other`` gets settings, vocabulary, prompt, length and a
    folder of its own."""
    chosen = common.options(doc, rounds=5, steps=100, arguments=arguments)
    config = common.config_of("teacher", chosen)
    length = min(chosen.steps, config.model.seq_len - PROMPT)
    with common.folder() as where, torch.inference_mode():
        tokenizer = common.training_data(config, where).tokenizer
        prompt = prompt_ids(config, tokenizer.vocab_size, PROMPT)
        sides = {
            "gpt-tui": own_rate(config, tokenizer, prompt, length),
            name: other(config, tokenizer, prompt, length, where),
        }
        common.tell("decoding, teacher's shape", common.take_turns(sides, chosen.rounds), "tokens/s", chosen)


def main(arguments: list[str] | None = None) -> None:
    def other(config: Config, tokenizer: Tokenizer, prompt: list[int], length: int, _where: Path) -> common.Side:
        return generate_rate(llama(config.model, tokenizer.vocab_size).eval(), prompt, length)

    decode_against("transformers.generate", other, __doc__, arguments)


if __name__ == "__main__":
    main()
