"""The command line: which command, in which language, and what an error looks like.

Each command is a module of ``gpt_tui.commands`` with ``add_arguments`` and ``run``; only the one that is
called gets imported, so that ``gpt-tui --help`` needs neither torch nor textual nor the settings' schema.
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import os
import sys
import textwrap
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from types import ModuleType
from typing import NoReturn

from . import __version__
from .i18n import _, set_language, translated

#: Command, and what it does in one line.
COMMANDS = {
    "train": "train a model",
    "ask": "ask a trained model one question",
    "chat": "ask question after question",
    "eval": "answer a file of questions and count the right answers",
    "compare": "ask two checkpoints the same questions and say which is better",
    "doctor": "report what is in a data file: duplicates, leaks, lengths, cuts",
    "params": "count a model's parameters and its memory",
    "tokenizer": "build a vocabulary, or look at one",
    "corpus": "make a corpus",
    "runs": "list, show, export or delete runs",
    "check": "say whether a run directory is whole, and what to do if not",
    "plot": "draw the losses of runs",
    "watch": "watch a run that another process trains",
    "serve": "answer chat programs over HTTP, as OpenAI's servers do",
    "web": "open the app in a browser",
    "init": "write config.yaml and the corpus into a folder, for editing",
    "import": "make a run of a model that was trained elsewhere",
    "export": "write a run as files that other programs read",
    "push": "upload a run to the Hugging Face hub",
    "bench": "measure how fast this machine trains and answers",
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

    command_parser: Parser | None = None
    """The parser of the command called: unknown options are reported by the root parser, which lacks its."""

    def error(self, message: str) -> NoReturn:
        import difflib

        from core.text import printable

        if message.startswith("argument "):  # Python 3.10 does not translate this
            name, _colon, problem = message.removeprefix("argument ").partition(": ")
            message = _("argument %(argument_name)s: %(message)s") % {"argument_name": name, "message": problem}
        before = _("unrecognized arguments: %s").removesuffix("%s")
        unknown = message.removeprefix(before).split(" ")[0] if message.startswith(before) else ""
        actions = self._actions + (self.command_parser._actions if self.command_parser else [])
        options = [option for action in actions for option in action.option_strings]
        near = difflib.get_close_matches(unknown, options, n=1) if unknown else []
        message = printable(message)
        hint = _(", did you mean {option}?").format(option=near[0]) if near else ""
        self.exit(2, _("{program}: {message}{hint} (see {program} --help)").format(
            program=self.prog, message=message, hint=hint) + "\n")  # fmt: skip


class Help(argparse.RawDescriptionHelpFormatter):
    """Names with hyphens, of recipes and options, stay whole."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


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


def _translate_argparse() -> None:
    """argparse takes its own words from two gettext functions in its module; ours stand in for them."""
    vars(argparse).update(_=_, ngettext=lambda one, many, count: _(one if count == 1 else many))


def build_parser(command: str | None) -> Parser:
    """The parser; only the arguments of ``command`` are filled in."""
    _translate_argparse()
    parser = Parser(
        prog="gpt-tui",
        description=_("Train a small GPT from nothing, in the terminal, and talk to it."),
        epilog=_("examples:") + "\n" + _(EXAMPLES),
        formatter_class=Help,
        parents=[_global_options(default=True)],
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"gpt-tui {__version__}",
        help=_("show program's version number and exit"),
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title=_("commands"), parser_class=Parser)
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=_(summary),
            description=_(summary[0].upper() + summary[1:] + "."),
            parents=[_global_options(default=False)],
            formatter_class=Help,
            allow_abbrev=False,
        )
        if name == command:
            _module(name).add_arguments(sub)
            parser.command_parser = sub
            _take_global_options_further(sub)
    return parser


def _take_global_options_further(parser: argparse.ArgumentParser) -> None:
    """``gpt-tui export hf RUN DIR --lang zh``: behind the word after the command too."""
    for actions in parser._actions:
        if isinstance(actions, argparse._SubParsersAction):
            for further in actions.choices.values():
                for option in _global_options(default=False)._actions:
                    further._add_action(option)


def _module(command: str) -> ModuleType:
    """The module of a command; one that is named like a word of Python has a line behind its name."""
    return import_module(f".commands.{command}{'_' if iskeyword(command) else ''}", __package__)


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


def _ready_streams() -> None:
    """Standard streams that can be written to and read from, whatever the caller has made of them."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed (``>&-``); its number must not go to the next file opened
            number = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace")):
        # Chinese on a terminal or pipe whose encoding cannot say it must not be a traceback.
        with contextlib.suppress(AttributeError, ValueError):
            ascii_only = stream is sys.stdin and codecs.lookup(stream.encoding or "utf-8").name == "ascii"
            stream.reconfigure(encoding="utf-8" if ascii_only else None, errors=errors)  # type: ignore[union-attr]


def _as_utf8(argument: str) -> str:
    """Where the locale knows ASCII alone, Python hands on the other bytes of a terminal in disguise."""
    try:
        return os.fsencode(argument).decode("utf-8") if not argument.isascii() else argument
    except UnicodeError:
        return argument


def _run(args: argparse.Namespace) -> int:
    from core.machine import reuse_memory, share_the_processor

    share_the_processor()
    reuse_memory()
    if args.command is None:
        from .screen import open_app

        return open_app(args)
    return int(_module(args.command).run(args))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 1 failed, 2 wrong usage, 130/143 stopped by a signal."""
    arguments = [_as_utf8(argument) for argument in (sys.argv[1:] if argv is None else argv)]
    command, language = _peek(arguments)
    set_language(language)
    _ready_streams()
    _check_core()
    from core.errors import UserError

    try:
        try:
            parser = build_parser(command)
            for argument in arguments[: arguments.index("--") if "--" in arguments else None]:
                if argument.startswith("--") and argument.endswith("=--"):  # argparse makes an empty list of it
                    parser.error(_("argument %(argument_name)s: %(message)s") % {
                        "argument_name": argument[:-3], "message": _("expected one argument")})  # fmt: skip
            return _run(parser.parse_args(arguments))
        finally:
            sys.stdout.flush()  # here, where a reader that has gone can still be told from an error
    except UserError as error:
        print(f"gpt-tui: {say(error)}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader has gone (``| head``): no words about it; but a training has then not come to its end.
        with contextlib.suppress(OSError, ValueError):  # keep Python from complaining at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1 if command == "train" and not {"-h", "--help"} & {*arguments} else 0
    except KeyboardInterrupt:
        return 130
    except (MemoryError, RuntimeError) as error:
        from core.machine import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        print(_("gpt-tui: the memory is used up; choose a smaller model or end other programs"), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"gpt-tui: {system_error(error)}", file=sys.stderr)
        return 1


def system_error(error: OSError) -> str:
    """What the system says, and of which file."""
    from core.text import printable

    reason = _(error.strerror or str(error))
    if not isinstance(error.filename, (str, bytes)):
        return _("the system says: {problem}").format(problem=printable(reason))
    return printable(f"{os.fsdecode(error.filename)}: {reason}")


def say(error: Exception) -> str:
    """An error as one safe line in the chosen language."""
    from core.text import printable

    return printable(translated(error))
