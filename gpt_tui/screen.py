"""Opening the app, or saying why it cannot open here."""

from __future__ import annotations

import argparse
import sys

from .i18n import _


def open_app(args: argparse.Namespace) -> int:
    """The terminal app. Until it is there: what to do instead, exit code 2."""
    del args
    print(
        _("gpt-tui: the app is not part of this version yet; use: gpt-tui --no-ui train, gpt-tui ask, gpt-tui --help"),
        file=sys.stderr,
    )
    return 2
