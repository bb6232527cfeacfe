"""What was asked and answered, kept per run in the user's data folder, bounded in size.

One JSON object a line; a damaged line costs only itself. Questions may be private: the folder and the files
are readable by their owner alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.storage import atomic_file, make_private_folder, open_regular

from .conversation import Exchange

MAX_BYTES = 1_000_000
"""A file that grows larger loses its older half."""
MAX_TEXT = 20_000
"""Characters kept of one question or answer."""
_NUMBERS = ("step", "tokens", "rate", "time")
_TEXTS = ("question", "answer", "checkpoint", "reason", "stop")


def chats_folder() -> Path:
    """``chats`` in this program's folder of the XDG data directory."""
    home = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification says to ignore a relative path.
    base = Path(home) if os.path.isabs(home) else Path.home() / ".local" / "share"
    return base / "gpt-tui" / "chats"


class History:
    """The history of one run."""

    def __init__(self, run: Path, folder: Path | None = None) -> None:
        whole = str(run.absolute())
        digest = hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        self.path = (folder or chats_folder()) / f"{run.name[:80]}-{digest}.jsonl"

    def read(self, most: int) -> list[Exchange]:
        """The newest ``most`` exchanges, oldest first. Raises ``UserError`` for a file that cannot be read."""
        if not self.path.exists():
            return []
        with open_regular(self.path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 2 * MAX_BYTES))
            lines = file.read(2 * MAX_BYTES).splitlines()
        found = [exchange for line in lines if (exchange := _parse(line)) is not None]
        return found[-most:]

    def add(self, exchange: Exchange) -> None:
        """Append one. Raises ``UserError`` when it cannot be written."""
        values: dict[str, Any] = {name: getattr(exchange, name) for name in _NUMBERS}
        values |= {name: getattr(exchange, name)[:MAX_TEXT] for name in _TEXTS}
        if exchange.seed is not None:
            values["seed"] = exchange.seed
        line = (json.dumps(values) + "\n").encode("ascii")
        try:
            make_private_folder(self.path.parent)
            # One write of one line: two apps that talk to the same run do not mix theirs.
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(fd, line)
                size = os.fstat(fd).st_size
            finally:
                os.close(fd)
            if size > MAX_BYTES:
                self._halve()
        except OSError as problem:
            raise UserError(
                "the chat history cannot be written: {path}: {reason}",
                path=str(self.path), reason=problem.strerror or str(problem),
            ) from None  # fmt: skip

    def clear(self) -> None:
        """Forget everything."""
        self.path.unlink(missing_ok=True)

    def _halve(self) -> None:
        with open_regular(self.path) as file:
            file.seek(-MAX_BYTES // 2, os.SEEK_END)
            file.readline()  # the line it fell into
            newer = file.read()
        with atomic_file(self.path) as out:
            os.fchmod(out.fileno(), 0o600) if os.name == "posix" else None
            out.write(newer)


def _parse(line: bytes) -> Exchange | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not isinstance(values.get("question"), str):
        return None
    exchange = Exchange(values["question"], earlier=True)
    for name in _TEXTS:
        if isinstance(values.get(name), str):
            setattr(exchange, name, values[name])
    for name in _NUMBERS:
        if isinstance(values.get(name), (int, float)):
            setattr(exchange, name, values[name])
    if isinstance(values.get("seed"), int):
        exchange.seed = values["seed"]
    return exchange
