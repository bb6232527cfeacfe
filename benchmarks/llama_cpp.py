"""One answer at a time against llama.cpp in F32, through ``llama-cpp-python``, on the same weights as exported GGUF.

``python -m benchmarks.llama_cpp`` prints generated tokens a second of both for a fresh model of the teacher's shape.
Needs ``pip install llama-cpp-python gguf``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from core import checkpoint
from core.bench.answers import model_in
from core.config import Config
from core.machine import usable_cores
from core.runs import LoadedModel, Run
from core.tokenizer import Tokenizer

from . import common
from .hf_generate import decode_against


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

    def other(config: Config, tokenizer: Tokenizer, prompt: list[int], length: int, where: Path) -> common.Side:
        run, loaded = fresh_run(config, tokenizer, where)
        export_gguf(run, loaded, where / "fresh.gguf", "f32")
        return llama_rate(where / "fresh.gguf", config, prompt, length)

    decode_against("llama.cpp F32", other, __doc__, arguments)


if __name__ == "__main__":
    main()
