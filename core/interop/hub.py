"""GPT-2 by its size, from the Hugging Face hub: resumed where it broke off, checked by the sum that the hub names."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..download import TIMEOUT, reason_of
from ..errors import CheckpointError, Phrase
from ..events import Event, Notice, Progress
from ..storage import make_private_folder
from ..text import first_line

#: Size, and the model's name on the hub.
REPOSITORIES = {
    "124M": "openai-community/gpt2",
    "355M": "openai-community/gpt2-medium",
    "774M": "openai-community/gpt2-large",
    "1558M": "openai-community/gpt2-xl",
}
FILES = ("config.json", "tokenizer.json", "model.safetensors")
CACHE = ".models"
CHUNK = 1 << 18
MAX_BYTES = 16_000_000_000
PROGRESS_EVENTS = 200


@dataclass(frozen=True)
class Remote:
    """A file as the hub describes it."""

    url: str
    bytes: int
    sum: str
    """SHA-256 of a large file, git's SHA-1 of a small one."""


def fetch_gpt2(size: str, cache: Path) -> Generator[Event, None, Path]:
    """The folder with GPT-2 of this size, downloaded into ``cache`` unless it is there.

    Raises ``CheckpointError`` that names the files to bring where there is no network.
    """
    folder = cache / f"gpt2-{size}"
    missing = [name for name in FILES if not (folder / name).is_file()]
    if not missing:
        return folder
    repository = REPOSITORIES[size]
    try:
        for name in missing:
            remote = describe(repository, name)
            make_private_folder(folder)
            yield Notice("{file}: {bytes} bytes from {url}", {"file": name, "bytes": remote.bytes, "url": remote.url})
            yield from download(remote, folder / name)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise _by_hand(size, folder, missing, reason_of(problem)) from None
    return folder


def _by_hand(size: str, folder: Path, missing: list[str], reason: str) -> CheckpointError:
    where = str(folder.absolute())
    return CheckpointError(
        "GPT-2 {size} is not here and cannot be downloaded ({reason}); on another machine get {files} from "
        "https://huggingface.co/{repository}/tree/main, put them into {folder} and repeat the command",
        size=size, reason=reason, files=", ".join(missing), repository=REPOSITORIES[size], folder=where,
    )  # fmt: skip


def describe(repository: str, name: str) -> Remote:
    """What the hub says of a file. Raises ``OSError`` or ``ValueError`` where it does not answer."""
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
    except ImportError:
        raise ValueError(Phrase("huggingface_hub is missing: pip install 'gpt-tui[hub]'")) from None
    url = huggingface_hub.hf_hub_url(repository, name)
    try:
        about: Any = huggingface_hub.get_hf_file_metadata(url, timeout=TIMEOUT)
    except OfflineModeIsEnabled:
        raise ValueError(Phrase("HF_HUB_OFFLINE is set")) from None
    except HfHubHTTPError as problem:
        raise ValueError(first_line(problem)) from None
    except OSError:
        raise
    except Exception as problem:  # the library's own HTTP client has errors that are no OSError
        raise OSError(reason_of(problem)) from None
    if not isinstance(about.size, int) or not 0 < about.size <= MAX_BYTES or not _is_sum(about.etag):
        raise ValueError(Phrase("the hub names neither size nor checksum"))
    return Remote(url, about.size, about.etag)


def _is_sum(text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", text) is not None


def download(remote: Remote, target: Path) -> Generator[Event, None, None]:
    """Get a file; what came before a connection broke is kept beside ``target`` and gone on from the next time.

    Raises ``CheckpointError`` where the file is not what the hub said, ``OSError`` where the network fails.
    """
    part = target.with_name(f".{target.name}.part")
    have = part.stat().st_size if part.is_file() else 0
    if have > remote.bytes:
        part.unlink()
        have = 0
    request = urllib.request.Request(remote.url, headers={"Range": f"bytes={have}-"} if have else {})
    if have < remote.bytes:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            if have and answer.status != 206:  # it sends all of it again
                have = 0
            with open(part, "r+b" if have else "wb") as file:
                file.seek(have)
                yield from _copy(answer, file, have, remote.bytes)
    if _sum(part, remote) != remote.sum:
        part.unlink()
        raise CheckpointError(
            "{url}: what came from there does not match its checksum; nothing was kept", url=remote.url
        )
    os.replace(part, target)


def _copy(answer: Any, file: Any, have: int, total: int) -> Generator[Event, None, None]:
    told = have * PROGRESS_EVENTS // total
    try:
        while chunk := answer.read(CHUNK):
            have += len(chunk)
            if have > total:
                raise ValueError(f"more than {total} bytes")
            file.write(chunk)
            if have * PROGRESS_EVENTS // total > told:
                told = have * PROGRESS_EVENTS // total
                yield Progress("downloading", have, total)
    finally:
        file.flush()
        os.fsync(file.fileno())
    if have < total:
        raise OSError(Phrase("the connection broke after {have} of {total} bytes; repeat the command to go on there",
                             have=have, total=total))  # fmt: skip


def _sum(path: Path, remote: Remote) -> str:
    """SHA-256, or the sum that git gives a file, whichever the hub named."""
    digest = hashlib.sha256() if len(remote.sum) == 64 else hashlib.sha1(f"blob {remote.bytes}\0".encode())
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
