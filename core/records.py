"""Files to records, with file and line in every error.

Reads JSON Lines, JSON arrays, tables (``csv_rows.py``) and plain text; rows as prompt/completion, query/answer,
Alpaca's instruction/input/output, chat messages, or text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, overload

from .csv_rows import MAX_LINE, OFFICE, TABLES, read_table
from .errors import DataError, Phrase
from .storage import MARK, numbered_lines, open_regular, read_json, read_text
from .text import without_surrogates

if TYPE_CHECKING:  # the app reads records' names before its first screen, and numpy costs 60 ms
    import numpy as np
    import numpy.typing as npt

MAX_ARRAY = 512_000_000  # bytes of a JSON array, which has to be read whole
MAX_TEXT = 2_000_000_000  # bytes of a plain text

#: Accepted names of a question and its answer, in this order.
PAIRS = (
    ("prompt", "completion"), ("query", "answer"), ("question", "answer"),
    ("问题", "答案"), ("问题", "回答"), ("问", "答"),
)  # fmt: skip
#: All names that a row may have.
KEYS = {name for pair in PAIRS for name in pair} | {"instruction", "input", "output", "text", "fact", "kind"}


@dataclass(frozen=True)
class Turn:
    """A question and its answer; ``context`` is Alpaca's input."""

    prompt: str
    completion: str = ""
    context: str = ""


@dataclass(frozen=True)
class Record:
    """One row of a corpus: a conversation or, alone, a text."""

    turns: tuple[Turn, ...] = ()
    system: str = ""
    text: str = ""
    fact: str = ""
    """Which fact the row teaches, where the corpus says."""
    kind: str = ""
    """The sort of question, where the corpus says."""
    where: str = ""
    """file:line"""

    @property
    def prompt(self) -> str:
        """The last question."""
        return self.turns[-1].prompt if self.turns else ""

    @property
    def completion(self) -> str:
        """The last answer, or the whole text."""
        return self.turns[-1].completion if self.turns else self.text

    def key(self) -> tuple[Any, ...]:
        """What makes two rows the same row."""
        return (self.turns, self.system, self.text)


def bundled_file(name: str) -> Path:
    """A file that comes with the program: inside the installed package, or in the checkout. Raises ``DataError``."""
    here = Path(__file__).parent
    for candidate in (here / "_bundled" / name, here.parent / name):
        if candidate.is_file():
            return candidate
    raise DataError("{name}: no such file here and none bundled under this name", name=name)


def find_data(name: str) -> Path:
    """The file for ``data.train`` and its like: a path, or the name of a bundled one (``teacher/train.jsonl``).

    Raises ``DataError`` when there is neither.
    """
    try:
        path = Path(name).expanduser()
        if "\0" in name or path.is_absolute() or path.exists():
            return path
        try:
            return bundled_file(f"data/{name.removeprefix('data/')}")
        except DataError as problem:
            raise DataError(problem.template, name=name) from None  # as it was asked for
    except (OSError, RuntimeError):  # too long a name, a folder not to be entered, '~' of an unknown user
        return Path(name)  # whoever opens it says what is wrong


def read_records(path: Path) -> Iterator[Record]:
    """Every row of a file. Raises ``DataError`` naming file and line at the first row it cannot use."""
    suffix = path.suffix.lower()
    if suffix in (".txt", ".md"):
        text = read_text(path, limit=MAX_TEXT, error=DataError)
        if text.strip():
            yield Record(text=without_surrogates(text.replace("\r\n", "\n")), where=f"{path}:1")
        return
    if suffix in TABLES:
        for row, where in read_table(path, KEYS):
            yield _to_record(row, where)
        return
    if suffix in OFFICE:
        raise DataError("{path}: a {kind} file is not text; save it as .csv (UTF-8)", path=str(path), kind=suffix)
    with open_regular(path, DataError) as file:
        head = file.read(4096).removeprefix(MARK).lstrip()
    if head.startswith(b"["):
        yield from _read_array(path)
    else:
        yield from _read_lines(path)


def _read_array(path: Path) -> Iterator[Record]:
    rows = read_json(path, limit=MAX_ARRAY, error=DataError)
    for number, row in enumerate(rows, 1):
        yield _to_record(row, f"{path}: row {number}")


def _read_lines(path: Path) -> Iterator[Record]:
    for number, line in numbered_lines(path, MAX_LINE, DataError):
        if line.strip():
            yield _parsed(line, f"{path}:{number}")


def _parsed(line: bytes, where: str) -> Record:
    """The record of one line of JSON."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as problem:
        raise DataError(
            "{where}: not valid JSON: {problem} at character {column}",
            where=where,
            problem=problem.msg,
            column=problem.pos + 1,
        ) from None
    except UnicodeDecodeError:
        raise DataError("{where}: not UTF-8 text; save the file as UTF-8 (not GBK, say)", where=where) from None
    except (RecursionError, ValueError):
        raise DataError("{where}: nested too deeply or a number too long", where=where) from None
    return _to_record(row, where)


def _to_record(row: Any, where: str) -> Record:
    if isinstance(row, str):
        row = {"text": row}
    if not isinstance(row, dict):
        raise DataError(
            "{where}: expected an object such as {example}, found {kind}",
            where=where,
            example='{"prompt": "…", "completion": "…"}',
            kind=_kind(row),
        )

    def text(key: str, *, required: bool = True) -> str:
        value = row.get(key)
        if value is None and not required:
            return ""
        if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value != value:  # NaN
            raise DataError("{where}: '{key}' must be text, found {kind}", where=where, key=key, kind=_kind(value))
        return without_surrogates(str(value))

    fact, kind = (
        without_surrogates(str(row[key])) if isinstance(row.get(key), (str, int)) else "" for key in ("fact", "kind")
    )
    for question, answer in PAIRS:
        if question in row and answer in row:
            turn = _checked(Turn(text(question), text(answer)), question, answer, where)
            return Record(turns=(turn,), where=where, fact=fact, kind=kind)
    if "instruction" in row and "output" in row:
        turn = Turn(text("instruction"), text("output"), text("input", required=False).strip())
        return Record(turns=(_checked(turn, "instruction", "output", where),), where=where, fact=fact, kind=kind)
    if isinstance(row.get("messages"), list):
        return _conversation(row["messages"], "role", "content", where, fact, kind)
    if isinstance(row.get("conversations"), list):
        return _conversation(row["conversations"], "from", "value", where, fact, kind)
    if "text" in row:
        content = text("text")
        if not content.strip():
            raise DataError("{where}: 'text' is empty", where=where)
        return Record(text=content, where=where, fact=fact, kind=kind)
    raise DataError(
        "{where}: no question and answer found; expected prompt/completion, query/answer, "
        "instruction/input/output, messages or text, found the keys: {keys}",
        where=where,
        keys=", ".join(map(str, row))[:100] or Phrase("none"),
    )


def _checked(turn: Turn, question: str, answer: str, where: str) -> Turn:
    if not turn.prompt.strip():
        raise DataError("{where}: '{key}' is empty", where=where, key=question)
    if not turn.completion.strip():
        raise DataError("{where}: '{key}' is empty", where=where, key=answer)
    return turn


_ROLES = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant", "model": "assistant", "bot": "assistant",
}  # fmt: skip


def _conversation(messages: list[Any], role_key: str, text_key: str, where: str, fact: str, kind: str) -> Record:
    system, question = "", ""
    turns: list[Turn] = []
    for number, message in enumerate(messages, 1):
        fail: Callable[[str], DataError] = lambda problem, n=number: DataError(  # type: ignore[misc] # noqa: E731
            "{where}: message {number}: {problem}", where=where, number=n, problem=problem
        )
        if not isinstance(message, dict):
            raise fail("expected an object")
        role = _ROLES.get(str(message.get(role_key)).lower())
        content = message.get(text_key)
        if role is None:
            raise fail(f"'{role_key}' must be system, user or assistant")
        if not isinstance(content, str) or not content.strip():
            raise fail(f"'{text_key}' must be text and not empty")
        content = without_surrogates(content)
        if role == "system":
            if turns or question:
                raise fail("a system message must come first")
            system = f"{system}\n{content}" if system else content
        elif role == "user":
            question = f"{question}\n{content}" if question else content
        elif question:
            turns.append(Turn(question, content))
            question = ""
        else:
            raise fail("an answer without a question before it")
    if not turns:
        raise DataError("{where}: the conversation has no answer to learn from", where=where)
    return Record(turns=tuple(turns), system=system, where=where, fact=fact, kind=kind)


def _kind(value: Any) -> str:
    if value != value:
        return "NaN"  # what pandas writes for a cell that was empty
    names = {dict: "an object", list: "a list", bool: "true/false", int: "a number", float: "a number"}
    return "nothing" if value is None else names.get(type(value), "text")


def version_of(status: os.stat_result) -> tuple[int, int, int]:
    """What changes when somebody edits or replaces a file."""
    return status.st_size, status.st_mtime_ns, status.st_ino


class RowsOfFile(Sequence[Record]):
    """Chosen rows of a file of JSON Lines, each read when it is wanted: memory does not grow with their length."""

    def __init__(
        self,
        path: Path,
        offsets: npt.NDArray[np.int64],
        lines: npt.NDArray[np.int64],
        version: tuple[int, int, int] | None = None,
    ) -> None:
        """``offsets`` and ``lines`` (rows,): where each row's line begins, in bytes, and its number from 1; of the
        file as it is now or, with ``version``, as it was. Reading another one is a ``DataError``."""
        self._path, self._offsets, self._lines = path, offsets, lines
        self._version = version or version_of(os.stat(path))

    def __len__(self) -> int:
        return len(self._offsets)

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> RowsOfFile: ...

    def __getitem__(self, index: int | slice) -> Record | RowsOfFile:
        if isinstance(index, slice):
            return RowsOfFile(self._path, self._offsets[index], self._lines[index], self._version)
        with open_regular(self._path, DataError) as file:
            return self._read(file, int(self._offsets[index]), int(self._lines[index]))

    def __iter__(self) -> Iterator[Record]:
        with open_regular(self._path, DataError) as file:
            for offset, line in zip(self._offsets.tolist(), self._lines.tolist(), strict=True):
                yield self._read(file, offset, line)

    def _read(self, file: IO[bytes], offset: int, line: int) -> Record:
        if version_of(os.fstat(file.fileno())) != self._version:
            raise DataError("{path}: has changed since it was read: its rows are no longer where they were",
                            path=str(self._path))  # fmt: skip
        file.seek(offset)
        text = file.readline(MAX_LINE + 1)
        return _parsed(text.removeprefix(MARK if line == 1 else b""), f"{self._path}:{line}")
