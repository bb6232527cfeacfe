"""``gpt-tui chat``: with ``--no-ui`` a question per line of standard input, an answer per line out."""

from __future__ import annotations

import argparse
import sys

from ..format import json_line
from ..i18n import _
from ..sampling_options import add_model_arguments, add_sampling_arguments, load_model, sampling_of
from .ask import answer_json, print_answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    add_sampling_arguments(parser)
    parser.add_argument("--json", action="store_true", help=_("one JSON object per answer"))


def run(args: argparse.Namespace) -> int:
    loaded = load_model(args)
    sampling = sampling_of(args, loaded)
    interactive = sys.stdin.isatty()
    if interactive:
        print(_("ask away; an empty line or Ctrl+D ends"), file=sys.stderr)
    while True:
        if interactive:
            sys.stderr.write("> ")
            sys.stderr.flush()
        line = sys.stdin.readline()
        question = line.strip()
        if not line or (interactive and not question):
            return 0
        if not question:
            continue
        if args.json:
            print(json_line(answer_json(loaded, question, sampling, args.seed)), flush=True)
        else:
            print_answer(loaded, question, sampling, args.seed, args.show_label)
