"""``gpt-tui watch``: a run that another process trains, live from its record."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from ..i18n import _

POLL_SECONDS = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", nargs="?", help=_("which run (default: the one that changed last)"))


def run(args: argparse.Namespace) -> int:
    from ..screen import Opening, open_app
    from ..watch import find_path

    path = find_path(args.runs_dir, args.run)
    if not args.no_ui and sys.stdin.isatty() and sys.stdout.isatty():
        return open_app(args, Opening(watch=path))
    follow(path)
    return 0


def follow(path: Path, console: Any = None) -> None:
    """Print what a headless training prints, from its beginning until nobody trains the run any more."""
    from core.events import Finished, Started, Step
    from core.lock import FolderLock
    from core.runs import Run
    from core.text import printable

    from ..console import Console, lines
    from ..desk import word_for
    from ..format import duration
    from ..watch import Tail

    console = console or Console()
    tail, lock = Tail(path / "metrics.jsonl"), FolderLock(path / "lock")
    total: int | None = None
    ended = False
    try:
        while True:
            # First the lock, then the file: whoever held no lock has written his last line already.
            trained = lock.is_held()
            batch = tail.poll()
            for event in batch.events:
                if isinstance(event, Started):
                    total = event.total_steps
                ended = isinstance(event, Finished)
                if ended:
                    console.clear()
                for line in lines(event, total):
                    console.print(printable(line))
                if isinstance(event, Step):
                    console.progress(event.progress, _("loss {loss:.4f}  eta {eta}").format(
                        loss=event.loss, eta=duration(event.eta)))  # fmt: skip
            if batch.more:
                continue
            if not trained:
                break
            time.sleep(POLL_SECONDS)
    finally:
        console.clear()
    if not ended:
        name = printable(path.name)
        if Run(path).imported():
            print(_("{run} was imported, there is no training in it").format(run=name), file=sys.stderr)
            return
        print(_("{run} is not being trained now; go on with: gpt-tui --no-ui train --resume {run}").format(
            run=word_for(path)),
              file=sys.stderr)  # fmt: skip
