"""``gpt-tui chat``: the app's Chat tab; without a terminal, or with ``--no-ui``, a line out for each line in."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from functools import partial

from ..format import json_line
from ..i18n import _
from ..sampling_options import add_model_arguments, add_sampling_arguments, load_model, sampling_of
from .ask import answer_json, print_answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    add_sampling_arguments(parser)
    parser.add_argument("--json", action="store_true", help=_("one JSON object per answer"))


def run(args: argparse.Namespace) -> int:
    from ..screen import why_not

    # --json and --show-label are about printed lines.
    if args.no_ui or args.json or args.show_label or why_not():
        return _by_lines(args)
    return _in_the_app(args)


def _in_the_app(args: argparse.Namespace) -> int:
    from core.config import Config

    from ..desk import runs_folder
    from ..screen import Opening, open_app

    sampling_of(args, Config())  # what is out of bounds is said before the screen opens
    how = Opening(tab="chat", sampling=partial(sampling_of, args), seed=args.seed)
    folder = runs_folder(args.runs_dir)
    if args.run is None and args.checkpoint is None and not (folder / "default.json").is_file():
        return open_app(args, how)  # the tab finds the newest run by itself, behind the first paint
    from core.default import choose_run

    run, checkpoint = choose_run(folder, args.run, args.checkpoint)
    return open_app(args, replace(how, ask=run.path, checkpoint=checkpoint))


def _by_lines(args: argparse.Namespace) -> int:
    loaded = load_model(args)
    sampling = sampling_of(args, loaded.config)
    from core.storage import MARK

    byte_order_mark = MARK.decode()
    interactive = sys.stdin.isatty()
    if interactive:
        print(_("ask away; an empty line or Ctrl+D ends"), file=sys.stderr)
    while True:
        if interactive:
            sys.stderr.write("> ")
            sys.stderr.flush()
        line = sys.stdin.readline()
        question = line.removeprefix(byte_order_mark).strip()
        if not line or (interactive and not question):
            return 0
        if not question:
            continue
        if args.json:
            print(json_line(answer_json(loaded, question, sampling, args.seed)), flush=True)
        else:
            print_answer(loaded, question, sampling, args.seed, args.show_label)
