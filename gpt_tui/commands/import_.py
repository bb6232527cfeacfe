"""``gpt-tui import gpt2|seed|bundle``: a model that was trained elsewhere becomes a run like any other.

One function per kind of source, in ``KINDS``: it adds its parser to ``actions`` and sets ``start``, which takes the
arguments and returns a generator of events whose result is the new run.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..i18n import _
from ..sigterm import ended_by_sigterm

if TYPE_CHECKING:
    from core.events import Event
    from core.runs import Run

    Start = Callable[[argparse.Namespace], Generator[Event, None, Run]]

#: GPT-2's published sizes; ``core.interop.hub`` knows where they are.
SIZES = ("124M", "355M", "774M", "1558M")


def add_kind(actions: Any, name: str, summary: str, start: Start) -> argparse.ArgumentParser:
    """The parser of one kind of source, with what all of them take."""
    parser: argparse.ArgumentParser = actions.add_parser(name, help=summary, description=summary)
    parser.add_argument("--run", metavar="NAME", help=_("the new run's name (default: made from the source)"))
    parser.add_argument("--json", action="store_true", help=_("the new run as JSON"))
    parser.set_defaults(start=start)
    return parser


def _add_gpt2(actions: Any) -> None:
    summary = _("GPT-2, from a folder with its files, or by its size from the Hugging Face hub")
    parser = add_kind(actions, "gpt2", summary, _start_gpt2)
    parser.add_argument(
        "source", metavar="DIR|SIZE",
        help=_("a folder with Hugging Face's or OpenAI's files, or one of {sizes}").format(sizes=", ".join(SIZES)),
    )  # fmt: skip


def _start_gpt2(args: argparse.Namespace) -> Generator[Event, None, Run]:
    from core.interop.gpt2 import read_gpt2
    from core.interop.hub import CACHE, fetch_gpt2
    from core.interop.install import free_name, install
    from core.runs import runs_folder

    runs, folder = runs_folder(args.runs_dir), Path(args.source)
    if args.run is not None:
        free_name(runs, args.run)
    if args.source in SIZES and not folder.is_dir():
        folder = yield from fetch_gpt2(args.source, runs / CACHE)
    foreign = yield from read_gpt2(folder)
    return (yield from install(runs, args.run, foreign))


def _add_seed(actions: Any) -> None:
    summary = _("a checkpoint of GPT_teacher or ch_lite_gpt, the programs that this one comes from")
    parser = add_kind(actions, "seed", summary, _start_seed)
    parser.add_argument("file", metavar="FILE.pt", type=Path, help=_("the checkpoint, such as checkpoints/last.pt"))
    parser.add_argument("--tokenizer", metavar="FILE", type=Path,
                        help=_("the tokenizer.json it was trained with (default: the one near it)"))  # fmt: skip
    parser.add_argument("--template", choices=["seed", "teacher", "alpaca", "plain"],
                        help=_("how it was asked, where it was not as its program asks it"))  # fmt: skip


def _start_seed(args: argparse.Namespace) -> Generator[Event, None, Run]:
    from core.interop.install import free_name, install
    from core.interop.seeds import read_seed
    from core.runs import runs_folder

    runs = runs_folder(args.runs_dir)
    if args.run is not None:
        free_name(runs, args.run)
    foreign = yield from read_seed(args.file, args.tokenizer, args.template)
    return (yield from install(runs, args.run, foreign))


def _add_bundle(actions: Any) -> None:
    parser = add_kind(actions, "bundle", _("a run that somebody else has exported as a bundle"), _start_bundle)
    parser.add_argument("file", metavar="FILE.zip", type=Path, help=_("the bundle"))


def _start_bundle(args: argparse.Namespace) -> Generator[Event, None, Run]:
    from core.interop.bundle import import_bundle
    from core.runs import runs_folder

    return import_bundle(args.file, runs_folder(args.runs_dir), args.run)


KINDS: tuple[Callable[[Any], None], ...] = (_add_gpt2, _add_seed, _add_bundle)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="KIND", required=True)
    for add in KINDS:
        add(actions)


def run(args: argparse.Namespace) -> int:
    from core.text import printable

    from ..format import json_line

    with ended_by_sigterm():
        found = _listen(args.start(args))
    if args.json:
        print(json_line({"run": found.name, "path": str(found.path), "report": found.report()}))
        return 0
    name = printable(found.name)
    parameters = (found.report() or {}).get("parameters") or _parameters_of(found)
    print(_("imported as {run}: {parameters:,} parameters").format(run=name, parameters=parameters))
    print(_('ask it: gpt-tui ask "…" --run {run}').format(run=name))
    return 0


def _listen(events: Generator[Event, None, Run]) -> Run:
    """Say on standard error what happens; returns the run."""
    from core.events import Progress

    from ..console import Console, lines

    console = Console(sys.stderr)
    with contextlib.closing(events):
        try:
            while True:
                event = next(events)
                for line in lines(event):
                    console.print(line)
                if isinstance(event, Progress) and event.total:
                    console.progress(event.done / event.total, "")
        except StopIteration as end:
            found: Run = end.value
            return found
        finally:
            console.clear()


def _parameters_of(run: Run) -> int:
    """Of a run that was stopped, and so has no report."""
    from core.skeleton import count_parameters
    from core.tokenizer import Tokenizer

    return sum(count_parameters(run.config().model, Tokenizer.load(run.tokenizer_file).vocab_size).values())
