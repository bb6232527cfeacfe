"""A download is the very file that was meant, or nothing; and a machine without a network says what to do."""

from __future__ import annotations

import hashlib
import io
import urllib.error
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from core.download import download
from core.errors import DataError
from core.events import Progress, State

URL = "https://example.org/text.txt"
TEXT = b"First Citizen:\nBefore we proceed any further, hear me speak.\n" * 4000
SUM = hashlib.sha256(TEXT).hexdigest()


class Answer(io.BytesIO):
    """What ``urlopen`` returns."""

    def __init__(self, body: bytes, length: int | None) -> None:
        super().__init__(body)
        self.headers = {} if length is None else {"Content-Length": str(length)}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A network that has the text; the list of what was asked of it."""
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> Answer:
        assert timeout < 60
        asked.append(url)
        return Answer(TEXT, len(TEXT))

    monkeypatch.setattr("core.download.urllib.request.urlopen", urlopen)
    return asked


def test_it_is_fetched_once(tmp_path: Path, network: list[str]) -> None:
    target = tmp_path / "cache" / "text.txt"
    events = list(download(URL, SUM, target))
    assert events[0] == State("downloading")
    last = events[-1]
    assert isinstance(last, Progress)
    assert last.done == last.total == len(TEXT)
    assert target.read_bytes() == TEXT
    assert list(download(URL, SUM, target)) == []
    assert network == [URL]
    assert [path.name for path in target.parent.iterdir()] == ["text.txt"]


def test_another_file_is_not_kept(tmp_path: Path, network: list[str]) -> None:
    with pytest.raises(DataError, match=rf"does not match data.sha256 \(it has {SUM}\); nothing was kept"):
        list(download(URL, "0" * 64, tmp_path / "text.txt"))
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_file_put_there_by_hand_is_named(tmp_path: Path, network: list[str]) -> None:
    target = tmp_path / "text.txt"
    target.write_text("something else", encoding="utf-8")
    with pytest.raises(DataError, match=r"it does not match data\.sha256; delete it"):
        list(download(URL, SUM, target))
    assert network == []


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (urllib.error.URLError(OSError(101, "Network is unreachable")), "Network is unreachable"),
        (urllib.error.HTTPError(URL, 404, "Not Found", None, None), "Not Found"),  # type: ignore[arg-type]
        (TimeoutError("timed out"), "timed out"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_without_a_network_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception, reason: str
) -> None:
    def urlopen(*_: Any, **__: Any) -> Answer:
        raise problem

    monkeypatch.setattr("core.download.urllib.request.urlopen", urlopen)
    target = tmp_path / "text.txt"
    with pytest.raises(DataError) as caught:
        list(download(URL, SUM, target))
    assert str(caught.value) == (
        f"text.txt is not here and cannot be downloaded ({reason}); get it from {URL} on another machine "
        f"and put it at {target}, or train on a file of your own with --data FILE"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(*_: Any, **__: Any) -> Answer:
        return Answer(TEXT[:1000], len(TEXT))

    monkeypatch.setattr("core.download.urllib.request.urlopen", urlopen)
    with pytest.raises(DataError, match=r"nothing was kept"):
        list(download(URL, SUM, tmp_path / "text.txt"))
    assert list(tmp_path.iterdir()) == []


def test_more_than_can_be_meant_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: list[str]) -> None:
    monkeypatch.setattr("core.download.MAX_BYTES", 1000)
    with pytest.raises(DataError, match="more than 1000 bytes"):
        list(download(URL, SUM, tmp_path / "text.txt"))
    assert list(tmp_path.iterdir()) == []
