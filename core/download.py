"""One file from the network, kept only if it is the very file that was meant."""

from __future__ import annotations

import hashlib
import urllib.request
from collections.abc import Generator
from http.client import HTTPException
from pathlib import Path
from typing import IO

from .errors import DataError, Phrase
from .events import Event, Progress, State
from .storage import atomic_file, file_sha256, make_private_folder

TIMEOUT = 20.0  # seconds without an answer
MAX_BYTES = 4_000_000_000
CHUNK = 1 << 16
PROGRESS_EVENTS = 20


def download(url: str, sha256: str, target: Path) -> Generator[Event, None, None]:
    """Make sure that ``target`` is the file at ``url`` with this checksum: nothing is asked of the network where it
    is there. Raises ``DataError`` saying what to do by hand."""
    if target.is_file():
        if file_sha256(target, DataError) != sha256:
            raise DataError("{path}: it does not match data.sha256; delete it or put the right file there",
                            path=str(target))  # fmt: skip
        return
    yield State("downloading")
    try:
        make_private_folder(target.parent)
        with atomic_file(target) as file:
            found = yield from _fetch(url, file)
            if found != sha256:
                raise DataError(
                    "{url}: what came from there does not match data.sha256 (it has {found}); nothing was kept",
                    url=url, found=found,
                )  # fmt: skip
    except (OSError, HTTPException, ValueError) as problem:
        raise DataError(
            "{file} is not here and cannot be downloaded ({reason}); get it from {url} on another machine "
            "and put it at {path}, or train on a file of your own with --data FILE",
            file=target.name, reason=reason_of(problem), url=url, path=str(target.absolute()),
        ) from None  # fmt: skip


def _fetch(url: str, file: IO[bytes]) -> Generator[Event, None, str]:
    """Download into ``file``; returns the SHA-256."""
    digest = hashlib.sha256()
    done = told = 0
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        total = int(answer.headers.get("Content-Length") or 0)
        while chunk := answer.read(CHUNK):
            done += len(chunk)
            if done > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES} bytes")
            digest.update(chunk)
            file.write(chunk)
            part = done * PROGRESS_EVENTS // total if total else 0
            if part > told:
                told = part
                yield Progress("downloading", done, total)
    return digest.hexdigest()


def reason_of(problem: Exception) -> str:
    """What went wrong, in a few words: urllib wraps the system's error."""
    if problem.args and isinstance(problem.args[0], Phrase):
        return problem.args[0]
    inner = getattr(problem, "reason", problem)
    text = getattr(inner, "strerror", None) or str(inner) or type(problem).__name__
    return str(text).splitlines()[0][:120]
