"""What has been learnt so far: validation loss, probe questions, and what a model of texts writes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict

from .. import machine
from ..dataset import encode_prompt
from ..evaluate import evaluate_loss, grade
from ..events import Eval, Event, Probe, Sample, State
from ..generate import Answer, answer_batch, prompt_room, stream
from .saving import save
from .trainer import Trainer


def evaluate(trainer: Trainer) -> Iterator[Event]:
    """Validation loss, the best checkpoint, and the probe questions."""
    progress = trainer.progress
    progress.evaluated = progress.step
    if trainer.prepared.valid is not None:
        yield State("evaluating", progress.step)
        loss = evaluate_loss(
            trainer.model, trainer.prepared.valid, trainer.prepared.tokenizer.pad, trainer.device,
            trainer.config.training.eval_batches,
        )  # fmt: skip
        better = math.isfinite(loss) and (progress.best_loss is None or loss < progress.best_loss)
        progress.last_eval = loss if math.isfinite(loss) else None
        progress.evals_without_gain = 0 if better else progress.evals_without_gain + 1
        if better:
            progress.best_loss, progress.best_step = loss, progress.step
        best = math.inf if progress.best_loss is None else progress.best_loss
        yield Eval(progress.step, loss, best, progress.best_step, better)
        if better:
            yield from save(trainer, tag="best")
    yield from ask_probes(trainer)
    machine.give_back_memory()


def ask_probes(trainer: Trainer) -> Iterator[Event]:
    """The questions that are asked after each evaluation, answered together."""
    probes = trainer.probes
    if not probes:
        return
    prompts = [_prompt(trainer, probe.prompt) for probe in probes]
    trainer.model.eval()
    answers = dict(answer_batch(trainer.model, trainer.prepared.tokenizer, prompts, trainer.config.sampling))
    trainer.model.train()
    events = [
        Probe(
            trainer.progress.step, p.prompt, answers[i], p.expected,
            p.expected is not None and grade(answers[i], p.expected) == "EXACT",
        )
        for i, p in enumerate(probes)
    ]  # fmt: skip
    trainer.progress.probes = [asdict(event) for event in events]
    yield from events


def sample(trainer: Trainer) -> Iterator[Event]:
    """Once an epoch and at the end: what the model writes after ``data.start_context``.

    It goes on from there as the settings of sampling have it, with the same draw for the same epoch.
    """
    config, progress = trainer.config, trainer.progress
    if not config.data.start_context or trainer.sampled_step == progress.step:
        return
    trainer.sampled_step = progress.step
    prompt, seed = _prompt(trainer, config.data.start_context), config.training.seed + progress.epoch
    trainer.model.eval()
    endless = trainer.prepared.template.endless
    written = stream(trainer.model, trainer.prepared.tokenizer, prompt, config.sampling, seed=seed, endless=endless)
    text = "".join(item.text for item in written if isinstance(item, Answer))
    trainer.model.train()
    yield Sample(progress.step, progress.epoch, config.data.start_context, text)


def _prompt(trainer: Trainer, question: str) -> list[int]:
    """Its tokens, cut so that an answer has room in the context."""
    room = prompt_room(trainer.config.model.seq_len, trainer.config.sampling.max_new_tokens)
    return encode_prompt(question, trainer.prepared.tokenizer, trainer.prepared.template, room)
