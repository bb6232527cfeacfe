"""``gpt-tui export hf|gguf|bundle``: a run as files that other programs, or other people, can use."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..i18n import _
from ..sampling_options import add_checkpoint_argument
from ..sigterm import ended_by_sigterm

if TYPE_CHECKING:
    from core.runs import LoadedModel, Run

TYPES = ("f32", "f16", "q8_0")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="KIND", required=True)
    hf = _add_kind(actions, "hf", _("a folder for Hugging Face's transformers, with a model card"), _export_hf)
    hf.add_argument("target", metavar="DIR", type=Path, help=_("the folder to make"))
    gguf = _add_kind(actions, "gguf", _("one file for llama.cpp"), _export_gguf)
    gguf.add_argument("target", metavar="FILE", type=Path, help=_("the file to write"))
    gguf.add_argument("--type", choices=TYPES, default="f16", help=_("what matrices are stored as (default: f16)"))
    bundle = _add_kind(
        actions, "bundle", _("the whole run in one file, for gpt-tui import bundle elsewhere"), _export_bundle
    )
    bundle.add_argument("target", metavar="FILE.zip", type=Path, help=_("the file to write"))
    bundle.add_argument("--with-optimizer", action="store_true",
                        help=_("also what is needed to go on with the training: up to twice the size"))  # fmt: skip


def _add_kind(actions: Any, name: str, summary: str, export: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=summary, description=summary)
    parser.add_argument("run", metavar="RUN", help=_("which run"))
    if name == "bundle":
        which = _("which of its checkpoints alone (default: the newest, best and int8)")
        parser.add_argument("--checkpoint", metavar="last|best|int8|PATH", help=which)
    else:
        add_checkpoint_argument(parser, int8=False)
    parser.add_argument("--force", action="store_true", help=_("replace what an export has written there before"))
    parser.set_defaults(export=export)
    return parser


def run(args: argparse.Namespace) -> int:
    from core.text import printable

    from ..format import size

    with ended_by_sigterm():
        what = args.export(args)
    target: Path = args.target
    files = [target] if target.is_file() else list(target.iterdir())
    written = size(sum(file.stat().st_size for file in files))
    print(_("written: {path}").format(path=printable(str(target))) + f" ({what}, {written})")
    return 0


def load_for_export(args: argparse.Namespace) -> tuple[Run, LoadedModel]:
    """The run and the checkpoint of it that the arguments name."""
    from core.runs import find_run, runs_folder

    run = find_run(runs_folder(args.runs_dir), args.run)
    return run, run.load(args.checkpoint or "last")


def _export_hf(args: argparse.Namespace) -> str:
    from core.interop.hf_export import export_hf

    return export_hf(*load_for_export(args), args.target, force=args.force).name


def _export_gguf(args: argparse.Namespace) -> str:
    from core.interop.gguf_export import export_gguf

    return f"{export_gguf(*load_for_export(args), args.target, args.type, force=args.force).gguf} {args.type}"


def _export_bundle(args: argparse.Namespace) -> str:
    from core.interop.bundle import export_bundle
    from core.runs import find_run, runs_folder

    found = find_run(runs_folder(args.runs_dir), args.run)
    names = export_bundle(found, args.target, which=args.checkpoint, optimizer=args.with_optimizer, force=args.force)
    return _("{count} files").format(count=len(names))
