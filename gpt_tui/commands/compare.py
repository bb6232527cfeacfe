"""``gpt-tui compare``: two checkpoints, the same questions, and a verdict that can be trusted."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ..format import json_line
from ..i18n import _
from ..verdicts import verdict_table

if TYPE_CHECKING:
    from core.compare import Change, Comparison

SHOWN = 10  # changed rows printed each way; --json has all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", help=_("a run, or RUN:CHECKPOINT: what there is"))
    parser.add_argument("b", metavar="B", help=_("likewise: what may be better"))
    parser.add_argument("--data", metavar="FILE", help=_("questions with their answers (default: B's validation rows)"))
    parser.add_argument("--promote", action="store_true",
                        help=_("make B the default checkpoint if it is better, and not by chance"))  # fmt: skip
    parser.add_argument("--json", action="store_true", help=_("rates, changed rows and the verdict as JSON"))


def run(args: argparse.Namespace) -> int:
    import torch

    from core.compare import compare
    from core.default import Default, checkpoint_of, write_default
    from core.doctor import unique_rows
    from core.errors import DataError
    from core.held_out import held_out_rows, learnt_from, split_of
    from core.machine import usable_cores
    from core.records import find_data, read_records
    from core.runs import load_model, runs_folder
    from core.storage import file_sha256

    from ..console import Console

    torch.set_num_threads(usable_cores())
    folder = runs_folder(args.runs_dir)
    places = [checkpoint_of(folder, name) for name in (args.a, args.b)]
    models = [load_model(path) for _run, path in places]
    if args.data:
        path = find_data(args.data)
        records = unique_rows(list(read_records(path)))
    else:
        path, records = held_out_rows(models[1], folder)
    console = Console(sys.stderr)
    steps = compare(models[0], models[1], records)
    while True:
        try:
            progress = next(steps)
        except StopIteration as end:
            result: Comparison = end.value
            break
        console.progress(progress.done / progress.total, _("asking both"))
    console.clear()
    promoted = args.promote and result.verdict == "better"
    if promoted:
        target, chosen = places[1]
        evidence = {"against": f"{places[0][0].name}:{places[0][1].name}", "data": path.name, "p": result.p,
                    "exact_rate": result.b["exact_rate"], "against_rate": result.a["exact_rate"]}  # fmt: skip
        write_default(folder, Default(target.name, chosen.name, evidence))
    labels = [f"{run.name}:{where.name}" for run, where in places]
    digest = file_sha256(path, DataError)
    seen = [number for number, loaded in enumerate(models) if learnt_from(loaded, digest)]
    if not args.data:  # where rows were split off, those who split alike learnt from the others
        own = models[1].config
        seen = [number for number in seen if own.data.valid or split_of(models[number].config) != split_of(own)]
    if args.json:
        found = {"runs": labels, "data": str(path), **result.to_json(), "trained_on": seen, "promoted": promoted}
        print(json_line(found))
        return 0
    for line in report(result, labels):
        print(line)
    for number in seen:
        print(_("note: {run} was trained on this very file").format(run=labels[number]))
    if args.promote:
        print(promotion(result, labels[1]))
    return 0


def report(result: Comparison, labels: list[str]) -> list[str]:
    """The lines of a comparison: rates, changed rows, verdict."""
    found = verdict_table([(f"A  {labels[0]}", result.a), (f"B  {labels[1]}", result.b)])
    gained, lost = result.gained, result.lost
    found.append(_("only B is right: {gained} rows; only A is right: {lost} rows").format(
        gained=len(gained), lost=len(lost)))  # fmt: skip
    for mark, changes in (("+", gained), ("-", lost)):
        found += [_changed(mark, change) for change in changes[:SHOWN]]
        if len(changes) > SHOWN:
            found.append("  " + _("… and {count} more (--json has all)").format(count=len(changes) - SHOWN))
    return [*found, verdict(result)]


def _changed(mark: str, change: Change) -> str:
    from core.text import printable, shorten

    prompt = shorten(printable(change.prompt), 60)
    return f"{mark} {prompt} = {printable(change.expected)} | A: {printable(change.a)} | B: {printable(change.b)}"


def verdict(result: Comparison) -> str:
    text = {
        "better": _("B is better than A (p = {p:.2g}, exact paired test)"),
        "worse": _("B is worse than A (p = {p:.2g}, exact paired test)"),
        "same": _("no difference that chance would not give too (p = {p:.2g}, exact paired test)"),
    }[result.verdict]
    return text.format(p=result.p)


def promotion(result: Comparison, label: str) -> str:
    """What became of --promote, and why."""
    if result.verdict == "better":
        return _("{run} is the default checkpoint now: ask, chat and eval use it unless --run names another").format(
            run=label)  # fmt: skip
    gained, lost = len(result.gained), len(result.lost)
    if result.verdict == "worse":
        return _("not promoted: {run} loses {lost} rows and gains {gained}").format(
            run=label, lost=lost, gained=gained)  # fmt: skip
    return _("not promoted: {gained} rows gained and {lost} lost may be chance; p would have to be below 0.05").format(
        gained=gained, lost=lost)  # fmt: skip
