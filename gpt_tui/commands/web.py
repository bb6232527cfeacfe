"""``gpt-tui web``."""

from __future__ import annotations

import argparse
import sys

from ..i18n import _, language
from ..loopback import add_address_arguments, is_loopback, listen, require, url_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_address_arguments(parser)


def run(args: argparse.Namespace) -> int:
    require("gpt-tui web", {"textual_serve": "textual-serve"})
    from ..desk import default_config

    default_config()  # a config.yaml that cannot be read is said here, not behind an empty page
    with listen(args.host, args.port) as listening:
        from ..web.guard import Guard
        from ..web.server import AppServer, serve_on

        local = is_loopback(args.host)
        guard = Guard(listening.getsockname()[1], local=local)
        if not local:
            print(_("warning: everyone on the network can reach this port; what is shown and typed travels "
                    "unencrypted, and whoever reads the token in the address can use the app as you"),
                  file=sys.stderr)  # fmt: skip
        address = f"{url_of(listening)}/?token={guard.token}"
        print(_("the app: {address} ; Ctrl+C ends").format(address=address), flush=True)
        return serve_on(listening, AppServer(app_command(args), guard))


def app_command(args: argparse.Namespace) -> list[str]:
    """The command that opens the app, with the options given to this one."""
    command = [sys.executable, "-m", "gpt_tui", "--lang", language()]
    return command if args.runs_dir is None else [*command, "--runs-dir", args.runs_dir]
