"""``gpt-tui params``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..format import size, table
from ..i18n import _


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", metavar="NAME|FILE", default="teacher", help=_("whose model (default: teacher)"))
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="overrides",
        help=_("change one setting, e.g. tokenizer.vocab_size=824; may be repeated"),
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help=_("the counts as JSON"))


def run(args: argparse.Namespace) -> int:
    from core.config import load_config
    from core.skeleton import count_parameters
    from core.text import printable

    from ..step_cost import learning_parameters

    config = load_config(args.recipe, overrides=args.overrides)
    vocabulary = config.tokenizer.vocab_size
    if config.tokenizer.path:  # what is given decides, not what is asked for
        from core.vocabulary import load_vocabulary

        vocabulary = load_vocabulary(Path(config.tokenizer.path)).vocab_size
    parts = count_parameters(config.model, vocabulary)
    total = sum(parts.values())
    learning = learning_parameters(config, vocabulary)
    memory = {"fp32": 4 * total, "bf16": 2 * total, "int8": total, "adam_fp32": 8 * learning}
    if args.json:
        print(json.dumps({"total": total, "learning": learning, "by_part": parts, "bytes": memory}))
        return 0
    model = config.model
    print(_("{recipe}: {layers} layers, {heads} heads, width {width}, vocabulary {vocab}").format(
        recipe=printable(config.recipe), layers=model.n_layer, heads=model.n_head, width=model.n_embd,
        vocab=vocabulary))  # fmt: skip
    rows = [[_(part), f"{count:,}", f"{100 * count / total:.1f} %"] for part, count in parts.items() if count]
    rows.append([_("total"), f"{total:,}", "100.0 %"])
    if learning != total:
        rows.append([_("learning"), f"{learning:,}", f"{100 * learning / total:.1f} %"])
    print("\n".join(table(rows, right=(1, 2))))
    names = {"fp32": _("weights fp32"), "bf16": _("weights bf16"), "int8": _("weights int8"),
             "adam_fp32": _("Adam's memory fp32")}  # fmt: skip
    print("\n".join(table([[names[k], f"{v / 2**20:,.2f} MiB", size(v)] for k, v in memory.items()], right=(1, 2))))
    return 0
