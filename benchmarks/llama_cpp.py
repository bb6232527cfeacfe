"""One answer at a time against llama.cpp in F32, through ``llama-cpp-python``, on the same weights as exported GGUF.

``python -m benchmarks.llama_cpp`` prints generated tokens a second of both for a fresh model of the teacher's shape.
Needs ``pip install llama-cpp-python gguf``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from core import checkpoint
from core.bench.answers import model_in, prompt_ids
from core.config import Config
from core.machine import usable_cores
from core.runs import LoadedModel, Run
from core.tokenizer import Tokenizer

from . import common
from .hf_generate import PROMPT, own_rate


def fresh_run(config: Config, tokenizer: Tokenizer, where: Path) -> tuple[Run, LoadedModel]:
    """A run with one checkpoint, its weights fresh."""
    run = Run(where / "fresh")
    run.create(config)
    weights = model_in("fp32", config, tokenizer.vocab_size).state_dict()
    state = {"step": 1, "config": config.to_dict()}
    checkpoint.save(checkpoint.step_folder(run.checkpoints, 1), state, tokenizer.to_json(), weights)
    return run, run.load()


def llama_rate(file: Path, config: Config, prompt: list[int], length: int) -> common.Side:
    """Tokens a second after the first, greedily."""
    from llama_cpp import Llama

    model: Any = Llama(
        str(file), n_ctx=config.model.seq_len, n_threads=usable_cores(), n_threads_batch=usable_cores(), verbose=False
    )

    def side() -> float:
        model.reset()
        tokens = model.generate(prompt, temp=0.0, top_k=1, repeat_penalty=1.0)
        next(tokens)
        begin = time.perf_counter()
        for _ in range(length - 1):
            next(tokens)
        return (length - 1) / (time.perf_counter() - begin)

    return side


def main(arguments: list[str] | None = None) -> None:
    from core.interop.gguf_export import export_gguf

    chosen = common.options(__doc__, rounds=5, steps=100, arguments=arguments)
    config = common.config_of("teacher", chosen)
    length = min(chosen.steps, config.model.seq_len - PROMPT)
    with common.folder() as where, torch.inference_mode():
        tokenizer = common.training_data(config, where).tokenizer
        prompt = prompt_ids(config, tokenizer.vocab_size, PROMPT)
        run, loaded = fresh_run(config, tokenizer, where)
        export_gguf(run, loaded, where / "fresh.gguf", "f32")
        sides = {
            "gpt-tui": own_rate(config, tokenizer, prompt, length),
            "llama.cpp F32": llama_rate(where / "fresh.gguf", config, prompt, length),
        }
        common.tell("decoding, teacher's shape", common.take_turns(sides, chosen.rounds), "tokens/s", chosen)


if __name__ == "__main__":
    main()
