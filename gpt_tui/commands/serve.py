"""``gpt-tui serve``."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from ..i18n import _
from ..loopback import add_address_arguments, is_loopback, listen, require, url_of
from ..sampling_options import add_checkpoint_argument, load_model

KEY_VARIABLE = "GPT_TUI_API_KEY"
MIN_KEY = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", nargs="?", help=_("which run (default: the promoted or the newest)"))
    add_checkpoint_argument(parser)
    add_address_arguments(parser)
    parser.add_argument(
        "--api-key", metavar="KEY",
        help=_("what clients must send as their key (or GPT_TUI_API_KEY, which nobody sees in a list of processes)"),
    )  # fmt: skip
    parser.add_argument(
        "--allow-origin", metavar="URL", action="append", default=[],
        help=_("a web page's origin that may ask from a browser; may be repeated (default: none)"),
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help=_("no line about each request"))


def run(args: argparse.Namespace) -> int:
    from core.errors import UserError
    from core.text import printable

    require("gpt-tui serve", {"starlette": "starlette", "uvicorn": "uvicorn"})
    local = is_loopback(args.host)
    key = args.api_key if args.api_key is not None else os.environ.get(KEY_VARIABLE) or None
    if key is not None and not (len(key) >= MIN_KEY and key.isascii() and key.isprintable() and " " not in key):
        raise UserError("the API key must be at least {least} letters, digits or signs without blanks", least=MIN_KEY)
    if not local and key is None:
        raise UserError(
            "--host {host}: others could reach the model there; set an API key with {variable} or --api-key",
            host=args.host, variable=KEY_VARIABLE,
        )  # fmt: skip
    origins = [_origin(url) for url in args.allow_origin]
    listening = listen(args.host, args.port)
    try:
        loaded = load_model(args)

        from core.threads import release_threads

        from ..serve.api import make_app
        from ..serve.server import Server
        from ..serve.worker import Worker

        release_threads()  # this thread computes no more, the worker's does
        worker = Worker(loaded)
        name = model_name(loaded.path)
        tell = _silent if args.quiet else _tell
        app = make_app(worker, name, local=local, key=key, origins=origins, tell=tell)
        url = url_of(listening)
        if not local:
            print(_("warning: everyone on the network can reach this port; what is asked and answered, and the key, "
                    "travel unencrypted"), file=sys.stderr)  # fmt: skip
        print(_("{run}, step {step}: {url}/v1 (model name: {name}); Ctrl+C ends").format(
            run=printable(str(loaded.path)), step=loaded.step, url=url, name=printable(name)), flush=True)  # fmt: skip
        Server(app, worker).serve_on(listening)
    finally:
        listening.close()
    return 0


def _origin(url: str) -> str:
    """What a browser sends as the origin of a page: scheme, host and port, and no slash behind them. Raises
    ``UserError`` for what can be none."""
    from core.errors import UserError

    if url == "*" or re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#\s]+/?", url):
        return url.removesuffix("/")
    raise UserError("--allow-origin {url}: expected an origin such as https://chat.example:8080", url=repr(url))


def model_name(checkpoint: Path) -> str:
    """What clients call the model: the name of its run, or of the folder of a checkpoint that lies elsewhere."""
    inside = checkpoint.parent.name == "checkpoints"
    return (checkpoint.parent.parent if inside else checkpoint).resolve().name


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    del line
