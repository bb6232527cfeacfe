"""Asking a model: prompt in, tokens out as they come, and why it stopped.

One loop serves one stream or many rows at once; rows of different length are padded on the left, so that the
next token stands at the same place in all of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .answer_text import AnswerText
from .cache import Cache
from .callable_module import make_callable
from .dataset import encode_prompt
from .decode import Decoder
from .model import GPT
from .records import Turn
from .sampling import choose, penalize_repetition
from .schema import SamplingConfig
from .side_by_side import side_by_side
from .template import TEMPLATES
from .tokenizer import Tokenizer

if TYPE_CHECKING:
    from .runs import LoadedModel

#: Tokens by which the caches of a batch grow. Room for the longest answer from the start took 45 MB of the teacher
#: recipe's 24 rows, and each row that ended copied it.
CACHE_STEP = 32


@dataclass(frozen=True)
class Token:
    """One generated token."""

    id: int
    text: str
    """The token itself; half a character shows as U+FFFD."""
    shown: str
    """What it adds to the visible answer: possibly nothing, possibly text held back before."""
    p: float
    """Its probability by the model, before temperature and filters."""
    top: tuple[tuple[str, float], ...] = ()
    """The likeliest alternatives with their probabilities, where asked for."""


@dataclass(frozen=True)
class Answer:
    """The end of a generation."""

    text: str
    stop_reason: str
    """'end' (end token), 'stop' (stop string), 'length' (limit reached)"""
    stop: str
    """The stop string that matched."""
    tokens: int
    prompt_tokens: int
    seconds: float
    prefill_seconds: float
    cut_tokens: int = 0
    """Of the question's beginning, which did not fit and was not read."""

    @property
    def tokens_per_second(self) -> float:
        """Rate after the first token, which the prompt's own computation precedes."""
        rest = self.seconds - self.prefill_seconds
        return (self.tokens - 1) / rest if self.tokens > 1 and rest > 0 else 0.0


def generate(
    loaded: LoadedModel,
    question: str,
    sampling: SamplingConfig | None = None,
    *,
    history: tuple[Turn, ...] = (),
    context: str = "",
    seed: int | None = None,
    top: int = 0,
) -> Generator[Token | Answer, None, None]:
    """Answer one question with a loaded run; the last item is the ``Answer``. Closing the generator stops it.

    ``sampling`` defaults to the run's own; ``seed`` makes a draw repeatable; ``top`` asks for that many
    alternatives with each token. A model of plain text writes on where its context is full.
    """
    config = sampling or loaded.config.sampling
    template = TEMPLATES[loaded.config.data.template]
    room = prompt_room(loaded.model.config.seq_len, config.max_new_tokens)
    turn = Turn(question, context=context)
    prompt = encode_prompt(turn, loaded.tokenizer, template, room, history)
    cut = 0
    if len(prompt) == room:
        cut = max(0, len(encode_prompt(turn, loaded.tokenizer, template, sys.maxsize)) - room)
    items = stream(loaded.model, loaded.tokenizer, prompt, config, seed=seed, top=top, endless=template.endless)
    with closing(items):
        for item in items:
            yield replace(item, cut_tokens=cut) if cut and isinstance(item, Answer) else item


def prompt_room(seq_len: int, max_new_tokens: int) -> int:
    """Tokens that a prompt may take: all but a quarter of the context, which stays for the answer."""
    return max(1, seq_len - min(max_new_tokens, max(16, seq_len // 4), seq_len // 2))


def forbidden_tokens(tokenizer: Tokenizer, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Added to logits (vocabulary,): never a special token but the end; and the same without the end."""
    never = torch.zeros(tokenizer.vocab_size, device=device)
    never[sorted(tokenizer.special)] = float("-inf")
    without_end = never.clone()
    never[tokenizer.eos] = 0.0
    return never, without_end


@torch.inference_mode()
def stream(
    model: GPT,
    tokenizer: Tokenizer,
    prompt: list[int],
    config: SamplingConfig,
    *,
    seed: int | None = None,
    top: int = 0,
    endless: bool = False,
) -> Generator[Token | Answer, None, None]:
    """Generate from token ids; see ``generate``. Uses its own random generator, never torch's global one.

    An answer ends where the context is full. An ``endless`` text goes on from the last half of it, as often as it
    takes: it need not know its beginning, where an answer without its question would be none.
    """
    device = next(model.parameters()).device
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed % 2**63)
    full = model.config.seq_len
    limit = config.max_new_tokens if endless else min(config.max_new_tokens, full - len(prompt) + 1)
    capacity = min(full, len(prompt) + limit)
    cache = Cache.empty(model, 1, capacity)
    never, without_end = forbidden_tokens(tokenizer)
    text = AnswerText(tokenizer, config.stop, config.trim_leading)
    used: list[int] = []
    reason = "length"
    started = time.perf_counter()
    prefill = 0.0
    pending = torch.tensor([prompt], device=device)
    fast: Decoder | None = None
    none_used = torch.zeros(0, dtype=torch.long)
    for count in range(limit):
        if (fast or cache).length == full:
            pending = torch.tensor([[*prompt, *used][-(full // 2) :]], device=device)
            cache, fast = Cache.empty(model, 1, capacity), None
        if fast is not None:
            logits = fast.logits(used[-1])
        else:
            logits = model.next_logits(pending, cache)[0].float().cpu()
            fast = Decoder(model, cache) if Decoder.fits(model, cache) else None
        too_short = count < config.min_new_tokens or text.empty
        allowed = logits + (without_end if too_short else never)
        already = none_used if config.repetition_penalty == 1.0 else torch.tensor(sorted(set(used)), dtype=torch.long)
        token = choose(allowed, already, config, generator)
        if not count:
            prefill = time.perf_counter() - started
        if token == tokenizer.eos:
            reason = "end"
            break
        used.append(token)
        probabilities = logits.softmax(dim=-1)
        best: tuple[tuple[str, float], ...] = ()
        if top:
            values, ids = probabilities.topk(min(top, len(probabilities)))
            best = tuple((tokenizer.token_text(int(i)), float(v)) for v, i in zip(values, ids, strict=True))
        shown = text.push(token)
        yield Token(token, tokenizer.token_text(token), shown, float(probabilities[token]), best)
        if text.stopped:
            reason = "stop"
            break
        if fast is None:
            pending = torch.tensor([[token]], device=device)
    rest = text.finish()
    if rest:
        yield Token(-1, "", rest, 1.0)
    yield Answer(
        text.text.rstrip() if config.trim_leading else text.text,
        reason, text.stopped, len(used), len(prompt), time.perf_counter() - started, prefill,
    )  # fmt: skip


def answer(
    loaded: LoadedModel, question: str, sampling: SamplingConfig | None = None, *, seed: int | None = None
) -> Answer:
    """``generate`` to its end: the answer alone."""
    for item in generate(loaded, question, sampling, seed=seed):
        if isinstance(item, Answer):
            return item
    raise AssertionError("a generation ends with an Answer")


#: Rows answered at once, and bytes of their caches within which more than the fewest are. Two batches side by side
#: answer 1,000 questions of the teacher corpus in 6.4 s with 28 rows each, in 6.0 with 32, 36 or 48, but with 48 the
#: whole run takes 588 instead of 564 MB.
FEWEST_ROWS, MOST_ROWS, CACHE_BYTES = 24, 32, 40_000_000
#: Rows that have ended are computed on until no more than this share of the batch is left: dropping each at once
#: copied the caches of all others each time: 7.5 instead of 6.9 s for 800 questions, 28 at once on one core.
STILL_FULL = 0.75
#: Width of the largest model whose batches are answered side by side: matrices of 768 keep all cores busy.
SIDE_BY_SIDE_UP_TO = 512


def rows_at_once(model: GPT, prompt: int) -> int:
    """Rows with prompts of so many tokens that are answered at once."""
    c = model.config
    each = 2 * 4 * c.n_layer * c.kv_heads * c.head_size * max(1, prompt)
    return max(FEWEST_ROWS, min(MOST_ROWS, CACHE_BYTES // each))


def answer_batch(
    model: GPT,
    tokenizer: Tokenizer,
    prompts: Sequence[list[int]],
    config: SamplingConfig,
    batch_size: int | None = None,
) -> Iterator[tuple[int, str]]:
    """Greedy answers to many prompts of token ids, as (index, text) in no particular order.

    Rows are grouped by length, so that little is padding; rows that have ended leave the batch. ``batch_size``
    defaults to what the cache of the longest prompt leaves room for. Small models answer batches side by side.
    """
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    if batch_size is None and order:
        batch_size = rows_at_once(model, len(prompts[order[-1]]))
    batch_size = batch_size or 1
    batches = [order[begin : begin + batch_size] for begin in range(0, len(order), batch_size)]

    def answers_of(rows: list[int]) -> list[str]:
        return _greedy_rows(model, tokenizer, [prompts[i] for i in rows], config)

    device = next(model.parameters()).device.type
    small = model.config.n_embd <= SIDE_BY_SIDE_UP_TO and device == "cpu"
    together = side_by_side if small and len(batches) > 1 else map
    for rows, texts in zip(batches, together(answers_of, batches), strict=True):
        yield from zip(rows, texts, strict=True)


@torch.inference_mode()
def _greedy_rows(model: GPT, tokenizer: Tokenizer, prompts: list[list[int]], config: SamplingConfig) -> list[str]:
    device = next(model.parameters()).device
    width = max(map(len, prompts))
    limits = [min(config.max_new_tokens, model.config.seq_len - len(prompt) + 1) for prompt in prompts]
    limit = max(limits)
    tokens = torch.full((len(prompts), width), tokenizer.pad, dtype=torch.long)
    padding = torch.zeros(len(prompts), width + limit, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        tokens[row, width - len(prompt) :] = torch.tensor(prompt)
        padding[row, : width - len(prompt)] = True
    positions = torch.arange(width + limit)[None] - padding.sum(1, keepdim=True)
    padding, positions = padding.to(device), positions.clamp(0, model.config.seq_len - 1).to(device)
    padded = bool(padding.any())
    room = -(-(width + CACHE_STEP) // CACHE_STEP) * CACHE_STEP  # whole steps: fewer shapes of products
    cache = Cache.empty(model, len(prompts), min(room, width + limit))
    cache.hidden_keys = padding if padded else None
    never, without_end = forbidden_tokens(tokenizer, device)
    texts = [AnswerText(tokenizer, config.stop, config.trim_leading) for _ in prompts]
    rows = list(range(len(prompts)))  # in the batch, some of which may have ended
    ended: set[int] = set()
    used: list[list[int]] = [[] for _ in prompts]
    pending = tokens.to(device)
    for count in range(limit):
        begin = cache.length
        of_pending = positions[:, begin : begin + pending.shape[1]] if padded else None
        logits = model.next_logits(pending, cache, of_pending).float()
        if config.repetition_penalty != 1.0:
            for i, row in enumerate(rows):
                already = torch.tensor(sorted(set(used[row])), dtype=torch.long, device=device)
                logits[i] = penalize_repetition(logits[i], already, config.repetition_penalty)
        logits += never
        short = [i for i, row in enumerate(rows) if count < config.min_new_tokens or texts[row].empty]
        if short:
            logits[short] += without_end
        chosen = logits.max(dim=-1).indices.tolist()  # argmax takes twice as long
        for row, token in zip(rows, chosen, strict=True):
            if row in ended:
                continue
            if token != tokenizer.eos:
                used[row].append(token)
                texts[row].push(token)
            if token == tokenizer.eos or texts[row].stopped or count + 1 == limits[row]:
                ended.add(row)
        stay = [i for i, row in enumerate(rows) if row not in ended]
        if not stay:
            break
        capacity = cache.keys.shape[3]
        full = cache.length == capacity
        if full or len(stay) <= STILL_FULL * len(rows):
            capacity = min(capacity + CACHE_STEP, width + limit) if full else capacity
            keep = torch.tensor(stay, device=device)
            cache.keep(keep, capacity)
            positions = positions[keep]
            rows, chosen = [rows[i] for i in stay], [chosen[i] for i in stay]
        pending = torch.tensor(chosen, device=device)[:, None]
    for text in texts:
        text.finish()
    return [text.text.rstrip() if config.trim_leading else text.text for text in texts]


make_callable(__name__)
