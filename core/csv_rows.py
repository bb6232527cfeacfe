"""Tables as spreadsheets save them: CSV with commas or semicolons, or tabs, the first line naming the columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from .errors import DataError
from .storage import read_text

MAX_TABLE = 512_000_000  # bytes; read whole
MAX_CELL = 8_000_000  # characters
#: Endings of tables.
TABLES = (".csv", ".tsv")
#: Endings of what people have their questions in and no program can read as text.
OFFICE = (".xlsx", ".xls", ".ods", ".docx", ".doc", ".odt", ".pdf", ".parquet")


def read_table(path: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Each row by the names of its columns, and the line it begins on; rows of empty cells are passed over.

    Raises ``DataError`` naming file and line.
    """
    text = read_text(path, limit=MAX_TABLE, error=DataError)
    skipped = 0
    if text.startswith("sep=") and "\n" in text:  # what Excel writes to itself
        text, skipped = text.partition("\n")[2], 1
    first = text.partition("\n")[0]
    # What stands most often in the first line: the names of columns hold none of these.
    delimiter = max(",;\t", key=first.count)
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] = []
    line = skipped + 1
    try:
        for cells in reader:
            where, line = f"{path}:{line}", reader.line_num + skipped + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = [cell.strip() for cell in cells]
                continue
            if len(cells) > len(names):
                raise DataError(
                    '{where}: {cells} cells, but {names} columns; a cell with a "{delimiter}" in it needs quotes',
                    where=where, cells=len(cells), names=len(names), delimiter=delimiter.replace("\t", "→"),
                )  # fmt: skip
            yield {name: cell.replace("\r\n", "\n") for name, cell in zip(names, cells, strict=False) if name}, where
    except csv.Error as problem:
        raise DataError("{where}: not a table: {problem}", where=f"{path}:{line}", problem=str(problem)) from None
