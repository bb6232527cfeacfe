"""A large corpus from its file to token rows ready to train: the first start, and the second, each in a process of its
own, with the memory that it took.

``python -m benchmarks.corpus`` does it for 25,000 and 100,000 rows of the reader corpus, which is made beforehand.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from core import machine
from core.bench.steps import drain, prepared_data
from core.config import Config, load_config
from core.sources import fetch_data

from . import common

ROWS = (25_000, 100_000)
STARTS = ("first start", "second start")


def config_for(rows: int) -> Config:
    return load_config("reader", overrides=[f"data.corpus_rows={rows}", "data.corpus_valid=2000"])


def start(rows: int, cache: Path) -> dict[str, Any]:
    """Seconds and bytes of one preparation, in this process."""
    before, begin = machine.peak_memory(), time.perf_counter()
    prepared = prepared_data(config_for(rows), cache)
    seconds = time.perf_counter() - begin
    return {
        "rows": len(prepared.train), "tokens": int(prepared.train.lengths.sum()), "seconds": seconds,
        "memory_bytes": machine.peak_memory() - before,
    }  # fmt: skip


def in_a_child(rows: int, cache: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.corpus", "--start", str(rows), "--cache", str(cache)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(arguments: list[str] | None = None) -> None:
    chosen = common.options(__doc__, add={"start": "", "cache": ""}, arguments=arguments)
    if chosen.given.start:
        print(json.dumps(start(int(chosen.given.start), Path(chosen.given.cache))))
        return
    found: dict[str, dict[str, Any]] = {}
    with common.folder() as where:
        for rows in (20, 40) if chosen.tiny else ROWS:
            drain(fetch_data(config_for(rows), where))
            for name in STARTS:
                found[f"{name}, {rows:,} rows"] = in_a_child(rows, where)
    if chosen.json:
        print(json.dumps(found))
        return
    for name, one in found.items():
        print(f"{name:32} {one['seconds']:7.2f} s   {one['memory_bytes'] / 1e6:7.0f} MB more memory")


if __name__ == "__main__":
    main()
