"""How fast a model reads a prompt and writes an answer, one stream, in each number format."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from .. import machine
from ..config import Config
from ..generate import Answer, stream
from ..model import GPT
from ..quantize import load_quantized, quantize_weights
from ..schema import SamplingConfig
from ..skeleton import skeleton, unfilled_model
from ..tokenizer import Tokenizer
from .steps import prepared_data

FORMATS = ("fp32", "bf16", "int8")


def model_in(form: str, config: Config, vocab_size: int) -> GPT:
    """A fresh model whose weights are stored in the format ``form``, ready to answer."""
    model = GPT(config.model, vocab_size).init_weights(config.training.seed).eval()
    if form == "bf16":
        return model.to(torch.bfloat16)
    if form == "int8":
        ready = skeleton(config.model, vocab_size)
        load_quantized(ready, quantize_weights(model, model.state_dict()))
    else:
        ready = unfilled_model(config.model, vocab_size)
        ready.load_state_dict(model.state_dict())
    return ready.eval()


def endless(new_tokens: int) -> SamplingConfig:
    """Settings with which any model writes exactly so many tokens, the likeliest each time."""
    return SamplingConfig(max_new_tokens=new_tokens, min_new_tokens=new_tokens, stop=[], trim_leading=False)


def timed_answer(model: GPT, tokenizer: Tokenizer, prompt: list[int], new_tokens: int) -> Answer:
    for item in stream(model, tokenizer, prompt, endless(new_tokens), seed=0):
        if isinstance(item, Answer):
            return item
    raise AssertionError("a generation ends with an Answer")


def prompt_ids(config: Config, vocab_size: int, length: int) -> list[int]:
    """Any tokens but the special ones, which come first: the cost does not depend on which."""
    generator = torch.Generator().manual_seed(config.training.seed)
    low = min(8, vocab_size - 1)
    return [int(i) for i in torch.randint(low, vocab_size, (length,), generator=generator)]


def measure_answers(config: Config, cache: Path, *, rounds: int) -> dict[str, Any]:
    """Tokens a second of prompt and answer, medians of ``rounds`` in which the formats take turns.

    Half of the context is prompt, half answer.
    """
    torch.set_num_threads(config.training.threads or machine.usable_cores())
    tokenizer = prepared_data(config, cache).tokenizer
    length = config.model.seq_len // 2
    prompt = prompt_ids(config, tokenizer.vocab_size, length)
    models = {form: model_in(form, config, tokenizer.vocab_size) for form in FORMATS}
    found: dict[str, list[Answer]] = {form: [] for form in FORMATS}
    for number, form in enumerate(_turns(rounds + 1)):
        answer = timed_answer(models[form], tokenizer, prompt, length)
        if number >= len(FORMATS):  # the first of each compiles its kernels
            found[form].append(answer)
    return {
        "recipe": config.recipe,
        "parameters": sum(parameter.numel() for parameter in models["fp32"].parameters()),
        "prompt_tokens": length,
        "new_tokens": length,
        **{
            form: {
                "prefill": statistics.median(a.prompt_tokens / a.prefill_seconds for a in answers),
                "decode": statistics.median(a.tokens_per_second for a in answers),
            }
            for form, answers in found.items()
        },
    }


def _turns(rounds: int) -> Iterator[str]:
    """The formats in turn, every other round backwards."""
    for number in range(rounds):
        yield from FORMATS if number % 2 == 0 else reversed(FORMATS)
