"""``gpt-tui check``: is a run directory whole."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..format import json_line
from ..i18n import _, translated

if TYPE_CHECKING:
    from core.runs import Run

MARKS = {"ok": "✓", "note": "·", "error": "✗"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", nargs="?", help=_("which run (default: the newest)"))
    parser.add_argument("--json", action="store_true", help=_("as JSON"))


def run(args: argparse.Namespace) -> int:
    from core.check import check_run
    from core.runs import runs_folder
    from core.text import printable

    target = _target(runs_folder(args.runs_dir), args.run)
    findings = list(check_run(target))
    errors = [finding for finding in findings if finding.level == "error"]
    if args.json:
        rows = [{"level": f.level, "what": f.what, "advice": f.advice} for f in findings]
        print(json_line({"run": str(target.path), "whole": not errors, "findings": rows}))
        return 1 if errors else 0
    for finding in findings:
        print(printable(f"{MARKS[finding.level]} {translated(finding.what)}"))
        if finding.advice:
            print(printable(f"    {translated(finding.advice)}"))
    path = printable(str(target.path))
    if errors:
        words = _("{path}: one thing is wrong") if len(errors) == 1 else _("{path}: {count} things are wrong")
        print(words.format(path=path, count=len(errors)))
    else:
        print(_("{path}: whole").format(path=path))
    return 1 if errors else 0


def _target(folder: Path, name: str | None) -> Run:
    """The run of that name or path, also one whose settings are gone; without a name the newest."""
    from core.runs import Run, find_run

    for path in (folder / name, Path(name)) if name else ():
        if path.is_dir() and any((path / part).exists() for part in ("config.yaml", "checkpoints", "metrics.jsonl")):
            return Run(path)
    return find_run(folder, name)
