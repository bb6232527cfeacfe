"""``gpt-tui ask``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..format import HeldBlanks, json_line
from ..i18n import _
from ..sampling_options import add_model_arguments, add_sampling_arguments, load_model, sampling_of
from ..verdicts import question_cut


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT", help=_("the question"))
    parser.add_argument("--input", metavar="TEXT", default="", dest="context",
                        help=_("what the instruction is about, under a heading of its own (alpaca)"))  # fmt: skip
    add_model_arguments(parser)
    add_sampling_arguments(parser)
    parser.add_argument("--json", action="store_true", help=_("tokens, their probabilities and the rate as JSON"))


def run(args: argparse.Namespace) -> int:
    loaded = load_model(args)
    sampling = sampling_of(args, loaded.config)
    if args.json:
        print(json_line(answer_json(loaded, args.text, sampling, args.seed, args.context)))
    else:
        print_answer(loaded, args.text, sampling, args.seed, args.show_label, args.context)
    return 0


def answer_json(loaded: Any, question: str, sampling: Any, seed: int | None, context: str = "") -> dict[str, Any]:
    """An answer in the form that scripts read."""
    from core.generate import Token, generate

    tokens: list[dict[str, Any]] = []
    for item in generate(loaded, question, sampling, seed=seed, context=context):
        if isinstance(item, Token):
            if item.id >= 0:
                tokens.append({"text": item.text, "p": item.p})
            continue
        return {
            "text": item.text,
            "stop_reason": item.stop_reason,
            "stop": item.stop or None,
            "tokens": tokens,
            "tokens_per_second": item.tokens_per_second,
            "prompt_tokens": item.prompt_tokens,
            "cut_tokens": item.cut_tokens,
            "first_token_seconds": item.prefill_seconds,
        }
    raise AssertionError("a generation ends with an Answer")


def print_answer(loaded: Any, question: str, sampling: Any, seed: int | None, label: bool, context: str = "") -> str:
    """Stream an answer to standard output, safely; returns its text."""
    from core.generate import Token, generate
    from core.template import TEMPLATES
    from core.text import printable

    if label:
        sys.stdout.write(TEMPLATES[loaded.config.data.template].answer_label)
    text, cut = "", 0
    held = HeldBlanks(sampling.trim_leading)
    for item in generate(loaded, question, sampling, seed=seed, context=context):
        if isinstance(item, Token):
            sys.stdout.write(printable(held.push(item.shown), keep_newlines=True))
            sys.stdout.flush()
        else:
            text, cut = item.text, item.cut_tokens
    print(flush=True)  # who asks through a pipe waits for this line
    if cut:
        print(f"gpt-tui: {question_cut(cut)}", file=sys.stderr)
    return text
