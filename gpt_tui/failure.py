"""What went wrong, why, and what to do about it – for a person, from an exception."""

from __future__ import annotations

import errno
import traceback
from dataclasses import dataclass

from core.errors import ConfigError, DataError, UserError
from core.machine import is_out_of_memory
from core.text import printable

from .i18n import _


@dataclass(frozen=True)
class Failure:
    """An error as the app shows it: safe text, already in the chosen language."""

    cause: str
    advice: str
    detail: str = ""
    """The traceback, for a fault of the program; it stands in the run's log."""

    def line(self) -> str:
        return _("failed: {cause}").format(cause=self.cause)


def explain(error: BaseException) -> Failure:
    """The cause in one line and what to do."""
    from .cli import say, system_error

    if isinstance(error, UserError):
        return Failure(say(error), _advice_for_user_error(error))
    if is_out_of_memory(error):
        return Failure(_("the memory is used up"), _memory_advice())
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Failure(
                _("the disk is full"),
                _("Make room – gpt-tui runs delete RUN removes a run – then go on with the run from its newest "
                  "checkpoint."),
            )  # fmt: skip
        return Failure(
            system_error(error), _("The system refused it: look at the path, its owner and its permissions.")
        )
    return Failure(
        printable(f"{type(error).__name__}: {error}".splitlines()[0][:300]),
        _("This is a fault in the program. The details are in the run's train.log; please report it."),
        "".join(traceback.format_exception(type(error), error, error.__traceback__)),
    )


def _memory_advice() -> str:
    return _(
        "Set training.micro_batch to a smaller number (the result stays the same), or choose a smaller "
        "batch_size, seq_len or n_embd."
    )


def _advice_for_user_error(error: UserError) -> str:
    if error.template.startswith("the memory is used up"):
        return _memory_advice()
    if "after going back" in error.template:
        return _("The message says what to try; change it in the Config tab, then start again.")
    if isinstance(error, DataError):
        return _("Correct the file, or choose another under data.train in the Config tab; the Data tab shows it.")
    if isinstance(error, ConfigError):
        return _("Change the setting in the Config tab, then start again.")
    return _("Put it right, then start again.")
