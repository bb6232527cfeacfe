"""``gpt-tui train``."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import core

from ..i18n import _

if TYPE_CHECKING:
    from core.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        help=_("what to train: a file of settings, or one of {names}").format(names=", ".join(_recipes())),
    )
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help=_("settings (default: ./config.yaml if it is there)")
    )
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="overrides",
        help=_("change one setting, e.g. training.lr=1e-3; may be repeated"),
    )  # fmt: skip
    parser.add_argument("--data", metavar="FILE", help=_("train on this file instead of the recipe's"))
    parser.add_argument("--valid", metavar="FILE", help=_("evaluate on this file"))
    parser.add_argument("--steps", metavar="N", type=int, help=_("number of optimizer steps"))
    parser.add_argument("--minutes", metavar="N", type=float, help=_("time budget; the learning rate falls to its end"))
    parser.add_argument("--run", metavar="NAME", help=_("name of the run (default: recipe and time)"))
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument(
        "--resume", metavar="RUN", nargs="?", const="", help=_("go on with a run (default: the newest one)")
    )
    begin.add_argument("--from", metavar="RUN", dest="start",
                       help=_("begin with the weights and vocabulary of RUN or RUN:CHECKPOINT"))  # fmt: skip
    parser.add_argument("--verify", action="store_true",
                        help=_("ask unseen questions after training and print a table of the answers"))  # fmt: skip
    parser.add_argument("--tensorboard", action="store_true",
                        help=_("write event files for TensorBoard into the run"))  # fmt: skip
    parser.add_argument("--json", action="store_true", help=_("one JSON object a line"))


def _recipes() -> list[str]:
    """Names of recipes, found without what reads them: ``--help`` is to be quick."""
    return sorted(path.stem for path in (Path(core.__file__).parent / "recipes").glob("*.yaml"))


VERIFY_ROWS = 1000  # asked of each part by --verify where the settings ask none


def config_arguments(args: argparse.Namespace) -> list[str]:
    """The short options as ``key=value`` overrides, before those given with --set."""
    from core.config import Override

    changes: dict[str, tuple[str, str]] = {}  # key: value and the option that says so
    if args.data is not None:
        changes = dict.fromkeys(("data.valid", "data.valid_unseen", "data.url"), ("null", "--data"))
        changes["data.train"] = _quoted(_absolute(args.data)), "--data"
    if args.valid is not None:
        changes["data.valid"] = _quoted(_absolute(args.valid)), "--valid"
    budget = {"training.max_steps": (args.steps, "--steps"), "training.max_minutes": (args.minutes, "--minutes")}
    given = next((option for value, option in budget.values() if value is not None), None)
    if given:
        changes |= {key: ("null" if value is None else repr(value), option) for key, (value, option) in budget.items()}
        changes["training.max_epochs"] = "null", given
    if args.tensorboard:
        changes["training.tensorboard"] = "true", "--tensorboard"
    return [Override(f"{key}={value}", option) for key, (value, option) in changes.items()] + list(args.overrides)


def _absolute(name: str) -> str:
    path = Path(name)
    with contextlib.suppress(RuntimeError):  # '~' of an unknown user
        path = path.expanduser()
    return str(path.absolute())


def _quoted(text: str) -> str:
    """``text`` for YAML, whatever is in it: unlike JSON's, YAML's ``\\u`` escapes do not go in pairs."""
    return '"' + "".join(char if char.isalnum() else f"\\U{ord(char):08x}" for char in text) + '"'


def run(args: argparse.Namespace) -> int:
    if not args.no_ui and not args.json:
        return _in_the_app(args)
    from core.control import Control
    from core.runs import find_run, new_run, runs_folder

    folder = runs_folder(args.runs_dir)
    if args.resume is not None:
        target = find_run(folder, args.resume or args.run)
        config = _changes(args, target.path)
    else:
        config, _file = _chosen(args)
        target = new_run(folder, args.run, config.recipe)
    control = Control()
    with stop_on_signals(control):
        finished = _listen(args, target, config, control)
    return {"SIGINT": 130, "SIGTERM": 143}.get(control.stop, 0 if finished else 1)


def _chosen(args: argparse.Namespace) -> tuple[Config, Path | None]:
    """The settings of a new run, and the user's file among their sources."""
    from core.config import load_config

    file = args.config
    if file is None and args.recipe is None:
        here = Path("config.yaml")
        file = here if here.is_file() else None
    overrides = config_arguments(args)
    if args.start is not None:
        config, file = _further(args, overrides), args.config
    else:
        config = load_config(args.recipe or (None if file else "teacher"), file, overrides)
    return _verified(config, args), file


def _verified(config: Config, args: argparse.Namespace) -> Config:
    """With questions at the end, where --verify asks for them."""
    return config.update({"data.verify_rows": VERIFY_ROWS}) if args.verify and not config.data.verify_rows else config


def _further(args: argparse.Namespace, overrides: list[str]) -> Config:
    """Settings of a run that begins where another has ended: that run's own, unless a recipe or file is named;
    its architecture and vocabulary in any case."""
    from core.config import load_config
    from core.default import checkpoint_of
    from core.errors import ConfigError
    from core.runs import runs_folder
    from core.start import settings_from

    source, folder = checkpoint_of(runs_folder(args.runs_dir), args.start)
    own = args.recipe is None and args.config is None
    base = source.path / "config.yaml" if own else args.config
    wanted = load_config(args.recipe, base, overrides, stored=own)
    config = settings_from(source.config(), wanted, folder)
    for key in (item.partition("=")[0].strip() for item in overrides):
        if config.get(key) != wanted.get(key) and key != "training.start_from":
            raise ConfigError(
                "--set {key}: further training keeps the architecture and the vocabulary of {run}, which has {value}",
                key=key, run=source.name, value=config.get(key),
            )  # fmt: skip
    return config


def _changes(args: argparse.Namespace, run: Path) -> Config | None:
    """What the options say against the settings of a run that goes on; None where they say nothing."""
    from core.config import load_config

    overrides = config_arguments(args)
    if not (args.recipe or args.config or overrides or args.verify):
        return None
    own = args.recipe is None and args.config is None
    config = load_config(args.recipe, run / "config.yaml" if own else args.config, overrides, stored=own)
    return _verified(config, args)


def _in_the_app(args: argparse.Namespace) -> int:
    """Open the app and start there."""
    from ..screen import Opening, open_app, why_not

    if why_not():  # before anything slow is imported
        return open_app(args)
    if args.resume is None:
        config, file = _chosen(args)
        _check_name(args)
        return open_app(args, Opening(config=config, config_file=file, start=True, run_name=args.run))
    path = _run_to_go_on(args)
    return open_app(args, Opening(start=True, resume=path, config=_changes(args, path)))


def _check_name(args: argparse.Namespace) -> None:
    """A name that cannot be, or is taken, is said before the screen opens; a plain free one costs no torch."""
    if args.run is None:
        return
    from ..desk import runs_folder

    folder = runs_folder(args.runs_dir)
    if re.fullmatch(r"\w[\w.-]*", args.run) and not (folder / args.run / "config.yaml").exists():
        return
    from core.runs import new_run

    new_run(folder, args.run, "").check_free()


def _run_to_go_on(args: argparse.Namespace) -> Path:
    """The folder of the run; looked for without torch where a name is given, so that the app opens at once."""
    from ..desk import runs_folder

    folder, name = runs_folder(args.runs_dir), args.resume or args.run
    if name:
        for candidate in (folder / name, Path(name)):
            if (candidate / "config.yaml").is_file():
                return candidate
    from core.runs import find_run

    return find_run(folder, name).path


def _listen(args: argparse.Namespace, target: Any, config: Any, control: Any) -> bool:
    """Print the events of a training; True if it ended by itself."""
    from core.events import Event, Finished, Progress, Saved, Started, Step, Verified
    from core.text import printable
    from core.train import train

    from ..console import Console, LogFile, lines
    from ..desk import word_for
    from ..format import duration, json_line
    from ..verdicts import part_name, verdict_table

    console, log = Console(), LogFile(target.path / "train.log")
    total: int | None = None
    saved_step = 0
    end: Finished | None = None
    verified = reader_gone = False

    def tell(event: Event, said: Sequence[str]) -> None:
        if args.json:
            console.print(json_line(event.to_json()))
            return
        for line in said:
            console.print(line)
        if isinstance(event, Progress) and event.total:
            console.progress(event.done / event.total, "")
        elif isinstance(event, Step):
            console.progress(event.progress, _("loss {loss:.4f}  eta {eta}").format(
                loss=event.loss, eta=duration(event.eta)))  # fmt: skip

    try:
        for event in train(config, target, control, resume=args.resume is not None):
            if isinstance(event, Started):
                total, saved_step = event.total_steps, event.resumed_step
            elif isinstance(event, Saved) and event.tag == "last":
                saved_step = event.step
            elif isinstance(event, Finished):
                end = event
                console.clear()
            said = list(lines(event, total))
            if isinstance(event, Verified):
                verified = True
                if args.verify:
                    said = verdict_table([(part_name(name), part) for name, part in event.parts.items()])
            for line in said:
                log.write(line)
            try:
                if not reader_gone:
                    tell(event, said)
            except BrokenPipeError:  # ``| head``, or a ``| tee`` that died: save what has been learnt, and end
                reader_gone = True
                control.request_stop()
    except Exception as error:
        log.write(printable(f"{type(error).__name__}: {error}"))
        raise
    finally:
        console.clear()
        log.close()
    if reader_gone:
        raise BrokenPipeError
    if args.verify and not verified and end is not None and not control.stop:
        print(_("nothing to verify: there is no question with an answer in the data"), file=sys.stderr)
    if end is not None and not args.json:
        name = word_for(target.path)
        if end.steps > saved_step:
            print(_("not saved: the steps from {first} to {last}").format(first=saved_step + 1, last=end.steps))
        else:
            print(_("saved in {path}").format(path=printable(str(target.path))))
        if not control.stop:
            print(_('ask it: gpt-tui ask "…" --run {run}').format(run=name))
        else:
            print(_("go on with: gpt-tui --no-ui train --resume {run}").format(run=name))
    return end is not None and not control.stop


@contextlib.contextmanager
def stop_on_signals(control: Any) -> Iterator[None]:
    """First Ctrl+C or SIGTERM: finish the step, save, end. Second: end at once. A hang-up: go on."""

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if control.stop:
            os._exit(128 + number)
        control.request_stop(signal.Signals(number).name)
        with contextlib.suppress(OSError):
            print("\n" + _("stopping after this step and saving; once more to stop at once"), file=sys.stderr)

    numbers = [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.signal(number, handle) for number in numbers}
    if hasattr(signal, "SIGHUP"):
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
