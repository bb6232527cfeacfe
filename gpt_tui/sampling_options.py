"""Options shared by the commands that ask a model: which one, and how it answers.

Each sampling option is a setting of the schema; its bounds are the schema's.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .i18n import _

if TYPE_CHECKING:
    from core.config import Config
    from core.runs import LoadedModel
    from core.schema import SamplingConfig

#: Option, setting, metavar.
SAMPLING = (
    ("--temperature", "temperature", "T"),
    ("--top-k", "top_k", "K"),
    ("--top-p", "top_p", "P"),
    ("--repetition-penalty", "repetition_penalty", "R"),
    ("--max-new-tokens", "max_new_tokens", "N"),
    ("--min-new-tokens", "min_new_tokens", "N"),
)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """--run and --checkpoint."""
    parser.add_argument("--run", metavar="RUN", help=_("which run (default: the promoted or the newest)"))
    add_checkpoint_argument(parser)


def add_checkpoint_argument(parser: argparse.ArgumentParser, *, int8: bool = True) -> None:
    parser.add_argument(
        "--checkpoint",
        metavar="last|best|int8|PATH" if int8 else "last|best|PATH",
        help=_("which of its checkpoints (default: last)"),
    )


def add_sampling_arguments(parser: argparse.ArgumentParser) -> None:
    """The sampling settings, --stop, --seed and --show-label."""
    from core.settings import settings

    for option, name, metavar in SAMPLING:
        setting = settings()[f"sampling.{name}"]
        text = _("{help} (default: as the run has it)").format(help=_(setting.help))
        parser.add_argument(option, metavar=metavar, dest=name, help=text)
    parser.add_argument("--stop", metavar="S", action="append", help=_("end the answer at this text; may be repeated"))
    parser.add_argument("--seed", metavar="N", type=int, help=_("makes a draw with a temperature repeatable"))
    parser.add_argument(
        "--show-label", action="store_true", help=_("print the label, such as 回答:, before the answer")
    )


def load_model(args: argparse.Namespace) -> LoadedModel:
    """The model that --run and --checkpoint name. Sets the threads to what the process may use."""
    import torch

    from core.machine import usable_cores
    from core.runs import load_run

    torch.set_num_threads(usable_cores())
    return load_run(args.run, args.checkpoint, args.runs_dir)


def sampling_of(args: argparse.Namespace, config: Config) -> SamplingConfig:
    """A run's sampling settings with the options on top. Raises ``ConfigError`` for one out of bounds."""
    from core.yamlio import parse_scalar

    changes: dict[str, Any] = {}
    for _option, name, _metavar in SAMPLING:
        text = getattr(args, name)
        if text is not None:
            changes[f"sampling.{name}"] = parse_scalar(text)
    if args.stop is not None:
        changes["sampling.stop"] = [unescape(text) for text in args.stop]
    return changed_sampling(config, changes)


def changed_sampling(config: Config, changes: dict[str, Any]) -> SamplingConfig:
    """The run's sampling settings with ``sampling.…`` keys changed. An answer limited to fewer tokens than the run's
    shortest may be as short as that. Raises ``ConfigError``."""
    minimum, maximum = changes.get("sampling.min_new_tokens"), changes.get("sampling.max_new_tokens")
    if isinstance(maximum, int) and minimum is None and maximum >= 1:
        changes = {**changes, "sampling.min_new_tokens": min(maximum, config.sampling.min_new_tokens)}
    return config.update(changes).sampling


def unescape(text: str) -> str:
    """``\\n`` and ``\\t`` as typed in a shell; everything else stays."""
    return text.replace("\\n", "\n").replace("\\t", "\t")
