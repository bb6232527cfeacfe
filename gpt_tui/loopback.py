"""A port to listen on, and who may be talking to it: shared by ``serve`` and ``web``."""

from __future__ import annotations

import argparse
import ipaddress
import re
import socket
import sys
from importlib.util import find_spec

from core.errors import UserError

from .i18n import _


def add_address_arguments(parser: argparse.ArgumentParser) -> None:
    """--host and --port."""
    parser.add_argument("--host", metavar="HOST", default="127.0.0.1",
                        help=_("the address to listen on (default: 127.0.0.1, this machine alone)"))  # fmt: skip
    parser.add_argument("--port", metavar="N", type=int, default=8000,
                        help=_("the port to listen on (default: 8000; 0: any free one)"))  # fmt: skip


def require(command: str, modules: dict[str, str]) -> None:
    """Raises ``UserError`` where a module is absent; ``modules`` maps its name to its package's."""
    if any(find_spec(module) is None for module in modules):
        names = " ".join(modules.values())
        raise UserError("{command} needs packages that are not installed; to have them: pip install {names}",
                        command=command, names=names)  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether a host, by name or number, can only mean the machine itself."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        name = host.lower().rstrip(".")
        return name == "localhost" or name.endswith(".localhost")


def names_loopback(header: str) -> bool:
    """Whether a request's ``Host`` means the machine itself.

    A page of another site can point its own name at 127.0.0.1 and then talk to whatever listens there as if it
    were its own server (DNS rebinding); but the browser still sends that name.
    """
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(:\d{1,5})?", header)
    return match is not None and is_loopback(match[1])


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises ``UserError`` in one line."""
    if not 0 <= port <= 65535:
        raise UserError("--port {port}: allowed are 0 to 65535", port=port)
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise UserError("--host {host}: no such address", host=host) from None
    found = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there the option would let two programs share the port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(64)
    except OSError as problem:
        found.close()
        raise UserError(
            "port {port} on {host} cannot be used: {reason}; choose another with --port, or --port 0 for a free one",
            port=port, host=host, reason=problem.strerror or str(problem),
        ) from None  # fmt: skip
    found.setblocking(False)
    return found


def url_of(listening: socket.socket) -> str:
    """``http://127.0.0.1:8000``; an address that means all of them is shown as this machine's own."""
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1" if listening.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
