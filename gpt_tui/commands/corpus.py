"""``gpt-tui corpus make``."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from ..i18n import _
from ..sigterm import ended_by_sigterm

#: The corpora that can be made; ``core.corpora.made`` has what writes them.
NAMES = ("reader",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    make = actions.add_parser("make", help=_("write a corpus that is made by a program"))
    make.add_argument("name", metavar="NAME", choices=NAMES, help=_("which corpus: {names}").format(names="reader"))
    make.add_argument("--train", metavar="N", type=int, default=100_000, help=_("training rows (default: 100000)"))
    make.add_argument("--valid", metavar="N", type=int, default=5000,
                      help=_("validation rows, and as many with unseen values (default: 5000)"))  # fmt: skip
    make.add_argument("--seed", metavar="N", type=int, default=123,
                      help=_("the same seed makes the same corpus (default: 123)"))  # fmt: skip
    make.add_argument("--force", action="store_true", help=_("replace files that are no such corpus, too"))
    make.add_argument("--out", metavar="DIR", type=Path, required=True, help=_("the folder to write into"))


def run(args: argparse.Namespace) -> int:
    from core.corpora.reader import SPLITS, is_reader_corpus, write_reader_corpus
    from core.errors import UserError

    from ..console import Console

    for option, value, least in (("--train", args.train, 1), ("--valid", args.valid, 0)):
        if value < least:
            raise UserError("{option} {value}: must be at least {least}", option=option, value=value, least=least)
    for path in (args.out / f"{split}.jsonl" for split in SPLITS):
        if not args.force and path.is_file() and path.stat().st_size and not is_reader_corpus(path):
            raise UserError("{path}: exists already and is no such corpus; --force replaces it", path=str(path))
    console = Console(sys.stderr)
    try:
        steps = write_reader_corpus(args.out, args.train, args.valid, args.seed)
        with ended_by_sigterm(), contextlib.closing(steps):
            for progress in steps:
                console.progress(progress.done / progress.total, _("{done:,} of {total:,} rows").format(
                    done=progress.done, total=progress.total))  # fmt: skip
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise UserError("{path}: cannot be written: {reason}", path=str(args.out), reason=reason) from None
    finally:
        console.clear()
    for split in SPLITS:
        rows = args.train if split == "train" else args.valid
        print(_("{path}: {rows:,} rows").format(path=args.out / f"{split}.jsonl", rows=rows))
    return 0
