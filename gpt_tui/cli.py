"""The command line: which command, in which language, and what an error looks like.

Each command is a module of ``gpt_tui.commands`` with ``add_arguments`` and ``run``; only the one that is
called gets imported, so that ``gpt-tui --help`` needs neither torch nor textual nor the settings' schema.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from . import __version__
from .i18n import _, set_language

#: Command, and what it does in one line.
COMMANDS = {
    "train": "train a model",
    "ask": "ask a trained model one question",
    "chat": "ask question after question",
    "eval": "answer a file of questions and count the right answers",
    "doctor": "report what is in a data file: duplicates, leaks, lengths, cuts",
    "params": "count a model's parameters and its memory",
    "tokenizer": "build a vocabulary, or look at one",
    "runs": "list, show or delete runs",
    "watch": "watch a run that another process trains",
    "init": "write config.yaml and the corpus into a folder, for editing",
}

EXAMPLES = """\
  gpt-tui --no-ui train                          train the teacher recipe (about two minutes)
  gpt-tui ask "什么是注意力机制？" --show-label       ask the newest run
  gpt-tui --no-ui train --set training.lr=5e-4   change any setting
  gpt-tui --no-ui train --data my.jsonl          train on your own questions and answers
  gpt-tui eval --data my.jsonl --show            see which of them it answers
  gpt-tui runs                                   what has been trained"""


class Parser(argparse.ArgumentParser):
    """argparse with one-line errors and the nearest option named."""

    def error(self, message: str) -> NoReturn:
        import difflib

        unknown = message.rpartition("unrecognized arguments: ")[2].split(" ")[0] if "unrecognized" in message else ""
        options = [option for action in self._actions for option in action.option_strings]
        near = difflib.get_close_matches(unknown, options, n=1) if unknown else []
        hint = _(", did you mean {option}?").format(option=near[0]) if near else ""
        self.exit(2, _("{program}: {message}{hint} (see {program} --help)").format(
            program=self.prog, message=message, hint=hint) + "\n")  # fmt: skip


def _global_options(default: bool) -> Parser:
    """Options that may stand before or after the command. The copy behind it must not overwrite with defaults."""
    parser = Parser(add_help=False)
    suppress = argparse.SUPPRESS
    parser.add_argument(
        "--no-ui",
        action="store_true",
        default=False if default else suppress,
        help=_("plain lines instead of the app"),
    )
    parser.add_argument(
        "--lang",
        choices=["zh", "en"],
        default=None if default else suppress,
        help=_("language of all messages"),
    )
    parser.add_argument(
        "--runs-dir", metavar="DIR", default=None if default else suppress,
        help=_("where runs are kept (or GPT_TUI_RUNS; default ./runs)"),
    )  # fmt: skip
    return parser


def build_parser(command: str | None) -> Parser:
    """The parser; only the arguments of ``command`` are filled in."""
    parser = Parser(
        prog="gpt-tui",
        description=_("Train a small GPT from nothing, in the terminal, and talk to it."),
        epilog=_("examples:") + "\n" + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_global_options(default=True)],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"gpt-tui {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title=_("commands"), parser_class=Parser)
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=_(summary),
            description=_(summary[0].upper() + summary[1:] + "."),
            parents=[_global_options(default=False)],
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == command:
            import_module(f".commands.{name}", __package__).add_arguments(sub)
    return parser


def _peek(arguments: Sequence[str]) -> tuple[str | None, str | None]:
    """The command and the language asked for, found before parsing: both decide how the parser looks."""
    command, language = None, None
    skip = False
    for i, argument in enumerate(arguments):
        if argument.startswith("--lang="):
            language = argument.partition("=")[2]
        elif argument == "--lang" and i + 1 < len(arguments):
            language = arguments[i + 1]
        if skip:
            skip = False
        elif argument in ("--lang", "--runs-dir"):
            skip = True
        elif command is None and not argument.startswith("-"):
            command = argument
    return command, language if language in ("zh", "en") else None


def _check_core() -> None:
    """``core`` is a common name: say so clearly when another package of that name is found first."""
    import core

    if getattr(core, "BELONGS_TO", None) != "gpt-tui":
        where = getattr(core, "__file__", None) or str(getattr(core, "__path__", "?"))
        raise SystemExit(
            _("gpt-tui: another package named 'core' hides this program's own: {path}; "
              "start from another folder or remove it from PYTHONPATH").format(path=where)
        )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 1 failed, 2 wrong usage, 130/143 stopped by a signal."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command, language = _peek(arguments)
    set_language(language)
    for stream in (sys.stdout, sys.stderr):
        # Chinese on a terminal or pipe whose encoding cannot say it must not be a traceback.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    args = build_parser(command).parse_args(arguments)
    if args.command is None:
        from .screen import open_app

        return open_app(args)
    _check_core()
    from core.errors import UserError

    try:
        return int(import_module(f".commands.{args.command}", __package__).run(args))
    except UserError as error:
        print(f"gpt-tui: {say(error)}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader has gone (``| head``): not an error; keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"gpt-tui: {_('the system says')}: {error}", file=sys.stderr)
        return 1


def say(error: Exception) -> str:
    """An error as one safe line in the chosen language."""
    from core.errors import UserError
    from core.text import printable

    if isinstance(error, UserError) and error.values:
        return printable(_(error.template).format(**error.values))
    return printable(_(str(error)))
