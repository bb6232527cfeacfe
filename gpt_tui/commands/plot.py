"""``gpt-tui plot``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..i18n import _


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help=_("whose losses to draw; several in one figure"))
    parser.add_argument(
        "--out", metavar="FILE", type=Path,
        help=_("an .svg, .png or .pdf file (default: in the run's figures; of several ./loss.svg)"),
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    from core.figures import draw
    from core.runs import find_run, runs_folder
    from core.text import printable

    folder = runs_folder(args.runs_dir)
    runs = [find_run(folder, name) for name in dict.fromkeys(args.runs)]
    files: list[Path] = [args.out] if args.out else [Path("loss.svg")]
    if args.out is None and len(runs) == 1:
        files = [runs[0].path / "figures" / name for name in ("loss.svg", "loss.png")]
    draw(runs, files)
    for file in files:
        print(_("written: {path}").format(path=printable(str(file))))
    return 0
