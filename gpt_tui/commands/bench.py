"""``gpt-tui bench``."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..format import json_line, percent, size, table
from ..i18n import _


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help=_("a minute instead of five, and less exact"))
    parser.add_argument(
        "--recipe", metavar="NAME|FILE", action="append", dest="recipes",
        help=_("measure the training of this recipe; may be repeated (default: teacher, reader, reader-100m)"),
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help=_("all figures as JSON"))


def run(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from core.bench.child import bench_config
    from core.machine import describe

    from ..bench.plan import FULL, QUICK, measure_all
    from ..console import Console

    extent = QUICK if args.quick else FULL
    if args.recipes:
        recipes = tuple(dict.fromkeys(map(_recipe, args.recipes)))
        for recipe in recipes:
            bench_config(recipe)  # a misspelt one is said before anything is measured
        extent = replace(extent, recipes=recipes)
    result: dict[str, Any] = {"machine": describe(), "quick": args.quick, "training": {}}
    console = Console(sys.stderr)
    total = 5 + extent.rounds * len(extent.recipes)
    begun = 0
    with tempfile.TemporaryDirectory(prefix="gpt-tui-bench-") as folder, contextlib.ExitStack() as stack:
        stack.callback(console.clear)
        for part, name, found in measure_all(extent, Path(folder)):
            if not found:
                console.progress(begun / total, _(LABELS[part]).format(recipe=name))
                begun += 1
            elif part == "training":
                result["training"][name] = found
            else:
                result[part] = found
    if args.json:
        print(json_line(result))
    else:
        print("\n".join(report(result)))
    return 0


def _recipe(name: str) -> str:
    """A file by its whole path: the measurements start elsewhere."""
    path = Path(name)
    return str(path.absolute()) if path.suffix in (".yaml", ".yml") else name


#: What is being measured, by part.
LABELS = {
    "peak_gflops": "matrix products",
    "training": "training steps of {recipe}",
    "generation": "answers of {recipe}",
    "app": "{recipe} in the app and without it",
    "startup_seconds": "start-up times",
}


def report(result: dict[str, Any]) -> list[str]:
    """The lines of all measurements."""
    from core.text import printable

    machine, peak = result["machine"], result["peak_gflops"]
    lines = [
        printable(_("{processor}, {cores} cores, {memory} of memory; {system}, Python {python}, torch {torch}").format(
            **{**machine, "memory": size(machine["memory_bytes"])})),
        _("matrix products: {fp32:.0f} GFLOP/s in fp32, {bf16:.0f} in bf16").format(**peak),
        "", *training_lines(result["training"]),
        "", *generation_lines(result["generation"]),
        "", *startup_lines(result["startup_seconds"]),
        app_line(result["app"]),
    ]  # fmt: skip
    return lines


def training_lines(training: dict[str, Any]) -> list[str]:
    """Two tables: the rate of each recipe, and where its step's time goes."""
    from core.text import printable

    rates = [
        [printable(name), f"{one['parameters'] / 1e6:.1f} M", one["dtype"], f"{one['tokens_per_second']:,.0f}",
         percent(one["mfu"]), percent(one["padding_share"]), size(one["peak_memory_bytes"])]
        for name, one in training.items()
    ]  # fmt: skip
    parts = ("data", "forward", "backward", "optimizer", "logging")
    times = [
        [printable(name), f"{1000 * one['step_seconds']:.1f}", *(f"{1000 * one['parts'][part]:.1f}" for part in parts)]
        for name, one in training.items()
    ]
    header = [_("training"), _("parameters"), _("numbers"), _("tokens/s"), _("MFU"), _("padding"), _("highest memory")]
    named = [_("milliseconds"), _("a step"), _("data"), _("forward"), _("backward"), _("optimizer"), _("logging")]
    return [*table(rates, header, right=range(1, 7)), "", *table(times, named, right=range(1, 7))]


def generation_lines(generation: dict[str, Any]) -> list[str]:
    """Tokens a second of one answer in each number format."""
    rows = [
        [form, f"{generation[form]['prefill']:,.0f}", f"{generation[form]['decode']:,.0f}"]
        for form in ("fp32", "bf16", "int8")
    ]
    title = _("one answer of {recipe}, tokens/s").format(recipe=generation["recipe"])
    return table(rows, [title, _("prompt"), _("answer")], right=(1, 2))


def startup_lines(startup: dict[str, Any]) -> list[str]:
    names = {"help": "gpt-tui --help", "first_paint": _("the app's first screen"), "first_token": _("ask, first token")}
    return [f"{label}: {_seconds(startup[name])}" for name, label in names.items()]


def _seconds(value: float | None) -> str:
    return _("not measured on this system") if value is None else _("{seconds:.2f} s").format(seconds=value)


def app_line(app: dict[str, Any]) -> str:
    if app["ratio"] is None:
        return _("the app beside a training: not measured on this system")
    return _("a step of {recipe} in the app: {app:.1f} ms, without it {headless:.1f} ms ({more:+.1f} %)").format(
        recipe=app["recipe"], app=1000 * app["app_step_seconds"], headless=1000 * app["headless_step_seconds"],
        more=100 * (app["ratio"] - 1),
    )  # fmt: skip
