"""Tables as spreadsheets save them: CSV with commas or semicolons, or tabs, the first line naming the columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path

from .errors import DataError
from .storage import numbered_lines

MAX_LINE = 8_000_000  # bytes of a row, or of a cell; a longer one is a broken file
#: Endings of tables.
TABLES = (".csv", ".tsv")
#: Endings of what people have their questions in and no program can read as text.
OFFICE = (".xlsx", ".xls", ".ods", ".docx", ".doc", ".odt", ".pdf", ".parquet")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


def read_table(path: Path, known: Collection[str]) -> Iterator[tuple[dict[str, str], str]]:
    """Each row by the names of its columns, and file:line where it begins; rows of empty cells are passed over.

    ``known`` are names of columns that tell what divides them. Raises ``DataError``.
    """
    csv.field_size_limit(MAX_LINE)
    lines = _lines(path)
    passed, delimiter = 0, ""
    for first in lines:
        passed += 1
        if first.startswith("sep=") and len(first.rstrip("\r\n")) == 5:  # what Excel writes to itself
            delimiter = first[4]
        elif first.strip(" \r\n,;\t"):
            break
    else:
        return
    delimiter = delimiter or max(",;\t", key=lambda char: _fit(first, char, known))
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    names: list[str] = []
    line = passed
    try:
        for cells in reader:
            where, line = f"{path}:{line}", reader.line_num + passed
            while cells and not cells[-1].strip():
                cells.pop()
            if not cells:
                continue
            if not names:
                names = [cell.strip() for cell in cells]
                continue
            if len(cells) > len(names):
                raise DataError(
                    '{where}: {cells} cells, but {names} columns; a cell with a "{delimiter}" in it needs quotes',
                    where=where, cells=len(cells), names=len(names), delimiter=delimiter.replace("\t", "→"),
                )  # fmt: skip
            cells += [""] * (len(names) - len(cells))
            yield {name: cell.replace("\r\n", "\n") for name, cell in zip(names, cells, strict=True) if name}, where
    except csv.Error as problem:
        raise DataError("{where}: not a table: {problem}", where=f"{path}:{line}", problem=str(problem)) from None


def _fit(first: str, delimiter: str, known: Collection[str]) -> tuple[int, int]:
    """How well the first line is divided: names that are known, names in all."""
    try:
        names = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter))]
    except csv.Error:
        return 0, 0
    return sum(name in known for name in names), len(names)


def _lines(path: Path) -> Iterator[str]:
    """Lines with their ends, of whichever kind. A line at a time: a table may be larger than the memory."""
    for number, line in numbered_lines(path, MAX_LINE, DataError):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise DataError("{where}: not UTF-8 text; save the file as UTF-8 (not GBK, say)",
                            where=f"{path}:{number}") from None  # fmt: skip
        yield from _LINE.findall(text)
