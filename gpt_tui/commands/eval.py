"""``gpt-tui eval``."""

from __future__ import annotations

import argparse

from ..format import json_line
from ..i18n import _
from ..sampling_options import add_model_arguments, load_model
from ..verdicts import verdict_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument(
        "--data", metavar="FILE", help=_("questions with their answers (default: the run's validation rows)")
    )
    parser.add_argument("--show", action="store_true", help=_("print every row with its verdict"))
    parser.add_argument("--json", action="store_true", help=_("counts and rates as JSON"))


def run(args: argparse.Namespace) -> int:
    from core.doctor import unique_rows
    from core.errors import DataError
    from core.evaluate import ask_all, questions_of, summary, summary_by_kind
    from core.held_out import held_out_rows
    from core.records import find_data, read_records
    from core.runs import runs_folder
    from core.template import TEMPLATES
    from core.text import pad, printable

    loaded = load_model(args)
    if args.data:
        path = find_data(args.data)
        rows = unique_rows(list(read_records(path)))
    else:
        path, rows = held_out_rows(loaded, runs_folder(args.runs_dir))
    records = questions_of(rows)
    if not records:
        raise DataError("{path}: no question with an answer in it", path=str(path))
    template = TEMPLATES[loaded.config.data.template]
    graded = list(ask_all(loaded.model, loaded.tokenizer, template, loaded.config.sampling, records))
    result = summary(graded)
    kinds = summary_by_kind(graded)
    if args.json:
        if kinds:
            result["by_kind"] = kinds
        if args.show:
            result["rows"] = [
                {"prompt": g.prompt, "expected": g.expected, "answer": g.answer, "verdict": g.verdict} for g in graded
            ]
        print(json_line(result))
        return 0
    if args.show:
        for item in graded:
            print(f"{pad(_(item.verdict), 8)} {printable(item.prompt)}")
            print("         " + _("expected: {text}").format(text=printable(item.expected)))
            if item.verdict != "EXACT":
                print("         " + _("answer: {text}").format(text=printable(item.answer)))
    if kinds:
        result["by_kind"] = kinds
    print("\n".join(verdict_table([(_("all"), result)])))
    return 0
