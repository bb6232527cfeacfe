"""``gpt-tui import gpt2|seed``: a model that was trained elsewhere becomes a run like any other.

One function per kind of source, in ``KINDS``: it adds its parser to ``actions`` and sets ``start``, which takes the
arguments and returns a generator of events whose result is the new run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from ..i18n import _

if TYPE_CHECKING:
    from core.events import Event
    from core.runs import Run

    Start = Callable[[argparse.Namespace], Generator[Event, None, Run]]


def add_kind(actions: Any, name: str, summary: str, start: Start) -> argparse.ArgumentParser:
    """The parser of one kind of source, with what all of them take."""
    parser: argparse.ArgumentParser = actions.add_parser(name, help=summary, description=summary)
    parser.add_argument("--run", metavar="NAME", help=_("the new run's name (default: made from the source)"))
    parser.add_argument("--json", action="store_true", help=_("the new run as JSON"))
    parser.add_argument("--runs-dir", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.set_defaults(start=start)
    return parser


KINDS: tuple[Callable[[Any], None], ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="KIND", required=True)
    for add in KINDS:
        add(actions)


def run(args: argparse.Namespace) -> int:
    from ..format import json_line

    events = args.start(args)
    while True:
        try:
            next(events)
        except StopIteration as end:
            print(json_line({"run": end.value.name}) if args.json else end.value.name)
            return 0
