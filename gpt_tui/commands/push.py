"""``gpt-tui push``: a run to the Hugging Face hub."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from ..i18n import _
from ..sampling_options import add_checkpoint_argument
from ..sigterm import ended_by_sigterm


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help=_("which run"))
    parser.add_argument("repository", metavar="REPO", help=_("where to: USER/NAME"))
    add_checkpoint_argument(parser, int8=False)
    parser.add_argument(
        "--public", action="store_true", help=_("a new repository is for all to see (default: private)")
    )
    parser.add_argument("--dry-run", action="store_true", help=_("only say what would be uploaded"))


def run(args: argparse.Namespace) -> int:
    from core.interop.hf_export import export_hf
    from core.interop.push import check_repository, is_logged_in, upload
    from core.text import printable

    from ..format import size, table
    from .export import load_for_export

    check_repository(args.repository)
    logged_in = is_logged_in()
    with ended_by_sigterm(), tempfile.TemporaryDirectory(prefix="gpt-tui-") as place:
        folder = Path(place) / "model"
        export_hf(*load_for_export(args), folder)
        rows = [(file.name, size(file.stat().st_size)) for file in sorted(folder.iterdir())]
        print("\n".join(table(rows, right=[1])), flush=True)
        if args.dry_run or not logged_in:
            print(_("nothing was uploaded; it would go to https://huggingface.co/{name}").format(name=args.repository))
            if not logged_in:
                print(_("you are not logged in there: hf auth login"))
            return 0
        address = upload(folder, args.repository, public=args.public)
    print(_("uploaded: {address}").format(address=printable(address)))
    return 0
