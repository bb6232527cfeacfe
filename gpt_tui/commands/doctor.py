"""``gpt-tui doctor``."""

from __future__ import annotations

import argparse
from itertools import combinations
from typing import Any

from ..format import json_line, percent
from ..i18n import _


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help=_("data files; the first one trains the vocabulary"))
    parser.add_argument("--recipe", metavar="NAME|FILE", default="teacher", help=_("whose template and lengths count"))
    parser.add_argument("--json", action="store_true", help=_("the report as JSON"))


def run(args: argparse.Namespace) -> int:
    from core.config import load_config
    from core.dataset import build_dataset
    from core.doctor import describe_dataset, describe_records, overlap
    from core.errors import DataError
    from core.prepare import make_tokenizer
    from core.records import find_data, read_records
    from core.template import TEMPLATES
    from core.text import printable

    config = load_config(args.recipe)
    paths = [find_data(name) for name in args.files]
    files = [list(read_records(path)) for path in paths]
    if not files[0]:
        raise DataError("{path}: no rows in it", path=str(paths[0]))
    tokenizer = make_tokenizer(config, files[0])
    reports: list[dict[str, Any]] = []
    for path, records in zip(paths, files, strict=True):
        dataset = build_dataset(
            records, tokenizer, TEMPLATES[config.data.template], config.model.seq_len, config.data.stride
        )
        tokens = describe_dataset(dataset, config.training.batch_size, config.model.seq_len, config.training.seed)
        reports.append({"file": str(path), **describe_records(records), "tokens": tokens})
    overlaps = [
        {"first": str(paths[a]), "second": str(paths[b]), "rows": overlap(files[a], files[b])}
        for a, b in combinations(range(len(paths)), 2)
    ]
    if args.json:
        print(json_line({"files": reports, "overlaps": overlaps, "vocab_size": tokenizer.vocab_size}))
        return 0
    for report in reports:
        print("\n".join(map(printable, report_lines(report, config.model.seq_len))))
    for item in overlaps:
        mark = "!" if item["rows"] else " "
        print(printable(f"{mark} " + _("{rows} rows of {second} also stand in {first}").format(**item)))
    print(_("  vocabulary: {size} tokens, learnt from {file}").format(
        size=tokenizer.vocab_size, file=printable(str(paths[0]))))  # fmt: skip
    return 0


def report_lines(report: dict[str, Any], seq_len: int) -> list[str]:
    """One file's report; a leading ``!`` marks what wants attention."""
    tokens = report["tokens"]

    def mark(bad: Any) -> str:
        return "!" if bad else " "

    found = [
        report["file"],
        "  " + _("{rows} rows, {unique} unique, {facts} facts, {characters:,} characters").format(**report),
        "! " + _("{duplicates} exact duplicates (one row stands there {most_repeated} times)").format(**report)
        if report["duplicates"] else "  " + _("0 exact duplicates"),
        f"{mark(report['conflicting_questions'])} "
        + _("{conflicting_questions} questions with more than one answer").format(**report),
    ]  # fmt: skip
    if tokens.get("length"):
        found += [
            "  " + _("{tokens:,} tokens, {supervised_tokens:,} of them learnt").format(**tokens),
            "  " + _("length in tokens: shortest {min}, median {p50}, 90 % {p90}, 99 % {p99}, longest {max}").format(
                **tokens["length"]),
            f"{mark(tokens['cut'])} "
            + _("{cut} questions cut to {seq_len} tokens ({cut_tokens} tokens lost)").format(seq_len=seq_len, **tokens),
            f"{mark(tokens['lost'])} " + _("{lost} rows left out: the answer alone is too long").format(**tokens),
            "  " + _("padding: {bucketed} in batches of similar length, {full} if padded to {seq_len}").format(
                bucketed=percent(tokens["padding_share"]), full=percent(tokens["padding_share_to_seq_len"]),
                seq_len=seq_len),
        ]  # fmt: skip
    if not tokens.get("supervised_tokens"):
        found.append("! " + _("no token to learn: a training on this file would be refused"))
    return found
