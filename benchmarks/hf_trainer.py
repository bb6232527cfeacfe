"""Against Hugging Face's ``transformers``, a Llama of the same shape on the same rows.

'as Trainer' does what the library's ``Trainer`` does in a step as its guide sets it up on a CPU – fp32, rows padded
to the longest of a shuffled batch, the library's loss, clipping, AdamW, schedule – without the bookkeeping around
it, which needs ``accelerate`` and costs time on top. 'by hand' is the same model in a loop that an expert would write
for this machine: bf16 autocast, eager attention, rows of similar length together, AdamW in its fused form.

``python -m benchmarks.hf_trainer --recipe reader`` prints real tokens a second, with AdamW on all sides;
``--optimizer muon`` is what the recipe has, ``--together 1`` computes its questions one by one here too.
"""

from __future__ import annotations

from typing import Any

import torch

from core.config import Config
from core.prepare import Prepared
from core.schema import ModelConfig

from . import common


def llama(config: ModelConfig, vocab_size: int, attention: str = "sdpa") -> Any:
    """``transformers``' Llama of the shape of a config; the gate of SwiGLU is there whatever the config says, its
    width chosen so that there are as many parameters."""
    from transformers import LlamaConfig, LlamaForCausalLM

    hidden = config.hidden if config.mlp == "swiglu" else round(config.hidden * 2 / 3 / 8) * 8
    shape = LlamaConfig(
        vocab_size=vocab_size, hidden_size=config.n_embd, intermediate_size=hidden, num_hidden_layers=config.n_layer,
        num_attention_heads=config.n_head, num_key_value_heads=config.kv_heads, rope_theta=config.rope_theta,
        max_position_embeddings=config.seq_len, tie_word_embeddings=config.tie_embeddings,
        attention_bias=config.bias, mlp_bias=config.bias, attn_implementation=attention,
        bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(shape)


def by_hand(config: Config, prepared: Prepared) -> common.Step:
    """Tuned for the processor."""
    model = llama(config.model, prepared.tokenizer.vocab_size, "eager").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1, fused=True)
    batches = common.batches_of(prepared, config.training.batch_size)

    def step() -> int:
        inputs, targets, real = common.padded(prepared, next(batches))
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(input_ids=inputs, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=-100)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return real

    return step


def as_trainer(config: Config, prepared: Prepared) -> common.Step:
    """The steps of ``Trainer`` with its own defaults."""
    model = llama(config.model, prepared.tokenizer.vocab_size).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1.0 - step / 1_000_000))
    batches = common.random_batches(prepared, config.training.batch_size)

    def step() -> int:
        inputs, targets, real = common.padded(prepared, next(batches))
        padding = (torch.arange(inputs.shape[1]) < (inputs != prepared.tokenizer.pad).sum(1, keepdim=True)).long()
        # The library shifts labels itself: those given are the tokens that stand there, not the next ones.
        labels = torch.nn.functional.pad(targets, (1, 0), value=-100)[:, :-1]
        loss = model(input_ids=inputs, attention_mask=padding, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        model.zero_grad()
        return real

    return step


def main(arguments: list[str] | None = None) -> None:
    chosen = common.options(
        __doc__, rounds=4, steps=6, arguments=arguments,
        add={"recipe": "reader", "optimizer": "adamw", "together": ""},
    )  # fmt: skip
    config = common.training_of(chosen)
    with common.folder() as where:
        prepared = common.training_data(config, where)
        single, rows = common.alone(config, prepared, where)
        own, hand = common.own_step(config, prepared, where), by_hand(single, rows)
        sides = {
            "gpt-tui": common.rate_of(own, chosen.steps),
            "transformers, as Trainer": common.rate_of(as_trainer(single, rows), chosen.steps),
            "transformers, by hand": common.rate_of(hand, chosen.steps),
        }
        found = common.take_turns(sides, chosen.rounds)
        common.tell(f"training, {config.recipe}", found, "real tokens/s", chosen)


if __name__ == "__main__":
    main()
