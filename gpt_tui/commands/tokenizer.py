"""``gpt-tui tokenizer build|inspect``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..format import json_line
from ..i18n import _


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = actions.add_parser("build", help=_("learn a vocabulary from a data file"))
    build.add_argument("files", metavar="FILE", nargs="+", help=_("data files"))
    build.add_argument("--out", metavar="FILE", type=Path, default=Path("tokenizer.json"), help=_("where to write it"))
    build.add_argument("--vocab-size", metavar="N", help=_("tokens to know (default: the recipe's)"))
    build.add_argument("--force", action="store_true", help=_("replace a file that is no vocabulary, too"))
    build.add_argument("--recipe", metavar="NAME|FILE", default="teacher", help=_("whose settings (default: teacher)"))
    inspect = actions.add_parser("inspect", help=_("how a vocabulary cuts a text"))
    inspect.add_argument("text", metavar="TEXT", nargs="?", help=_("the text; without one: the vocabulary itself"))
    inspect.add_argument("--file", metavar="FILE", type=Path, help=_("a tokenizer.json (default: that of the run)"))
    inspect.add_argument("--run", metavar="RUN", help=_("which run (default: the newest)"))
    inspect.add_argument("--json", action="store_true", help=_("tokens and ids as JSON"))


def run(args: argparse.Namespace) -> int:
    return _build(args) if args.action == "build" else _inspect(args)


def _build(args: argparse.Namespace) -> int:
    from core.config import Override, load_config
    from core.prepare import make_tokenizer
    from core.records import find_data, read_records
    from core.storage import write_text
    from core.text import printable

    overrides = [] if args.vocab_size is None else [Override(f"tokenizer.vocab_size={args.vocab_size}", "--vocab-size")]
    config = load_config(args.recipe, overrides=[*overrides, "tokenizer.path=null"])
    if not args.force:
        _check_target(args.out)
    records = [record for name in args.files for record in read_records(find_data(name))]
    tokenizer = make_tokenizer(config, records)
    write_text(args.out, tokenizer.to_json())
    asked = config.tokenizer.vocab_size
    print(_("{path}: {size} tokens").format(path=printable(str(args.out)), size=tokenizer.vocab_size))
    if tokenizer.vocab_size < asked:
        print(_("that is fewer than the {asked} asked for: the text has no more pairs to merge").format(asked=asked))
    return 0


def _check_target(path: Path) -> None:
    """A vocabulary is replaced, it is quickly learnt again; somebody's data is not. Raises ``UserError``."""
    from core.errors import UserError
    from core.tokenizer import Tokenizer

    if not path.is_file() or not path.stat().st_size:
        return
    try:
        Tokenizer.load(path)
    except UserError:
        raise UserError("{path}: exists already and is no vocabulary; --force replaces it", path=str(path)) from None


def _inspect(args: argparse.Namespace) -> int:
    from core.runs import find_run, runs_folder
    from core.text import printable
    from core.tokenizer import Tokenizer

    path = args.file or find_run(runs_folder(args.runs_dir), args.run).tokenizer_file
    tokenizer = Tokenizer.load(path)
    ids = tokenizer.encode(args.text) if args.text is not None else list(range(tokenizer.vocab_size))
    pieces = [tokenizer.token_text(i) for i in ids]
    if args.json:
        print(json_line({"vocab_size": tokenizer.vocab_size, "ids": ids, "tokens": pieces}))
    elif args.text is None:
        for i, piece in zip(ids, pieces, strict=True):
            print(f"{i:6}  {printable(piece)}  {tokenizer.token_bytes(i).hex(' ')}")
    else:
        print(" | ".join(printable(piece) for piece in pieces))
        print(" ".join(map(str, ids)))
        print(_("{tokens} tokens for {characters} characters; read back exactly: {exact}").format(
            tokens=len(ids), characters=len(args.text),
            exact=_("yes") if tokenizer.decode(ids) == args.text else _("no")))  # fmt: skip
    return 0
