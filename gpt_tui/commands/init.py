"""``gpt-tui init``."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from ..i18n import _


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", type=Path, help=_("where to write them; existing files are kept"))


def run(args: argparse.Namespace) -> int:
    from core.errors import UserError
    from core.records import bundled_file, find_data
    from core.text import printable

    wanted = {"config.yaml": bundled_file("config.yaml")}
    for name in ("train.jsonl", "valid.jsonl"):
        wanted[f"data/teacher/{name}"] = find_data(f"teacher/{name}")
    for name, source in wanted.items():
        target: Path = args.folder / name
        if target.exists():
            print(_("kept: {path}").format(path=printable(str(target))))
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        except OSError as problem:
            raise UserError("{path}: cannot be written: {reason}", path=str(target), reason=problem.strerror) from None
        print(_("written: {path}").format(path=printable(str(target))))
    print(_("now: cd {folder} && gpt-tui --no-ui train").format(folder=printable(str(args.folder))))
    return 0
