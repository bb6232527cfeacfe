"""What the estimates have to look up or measure: the first rows of the data, earlier runs, this machine's speed.

Everything here may take a while and belongs into a worker; torch is imported only to measure the machine.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from core.config import Config, load_config
from core.errors import DataError, UserError
from core.events import Event, Started, Step, from_json
from core.machine import fast_dtype
from core.records import Record, find_data, read_records
from core.storage import open_regular
from core.template import TEMPLATES

from .estimates import Facts, KnownRun, Sample, estimate, sample_key
from .step_cost import Corpus, Machine

SAMPLE_ROWS = 400
SAMPLE_BYTES = 1_000_000
#: A JSON array or a conversation in one file has to be read whole; a larger one is not worth the wait.
WHOLE_FILE_BYTES = 30_000_000
MAX_RUNS = 20
EDGE_BYTES = 200_000
#: A run's speed is believed after this many steps and seconds.
MIN_STEPS, MIN_SECONDS = 10, 2.0


def gather(
    config: Config, facts: Facts, runs_dir: Path, measure: Callable[[int | None], Machine] | None
) -> Iterator[Facts]:
    """What is known about a config's costs, at first quickly; ``measure``: how to measure the machine, if need be."""
    sample = look_at_data(config)
    facts = replace(facts, sample=sample or facts.sample, runs=tuple(look_at_runs(runs_dir)))
    yield facts
    if measure is not None and facts.machine is None and estimate(config, facts).source not in ("run", "scaled"):
        yield replace(facts, machine=measure(config.training.threads))


# -- the data -----------------------------------------------------------------------------------------------------


def look_at_data(config: Config) -> Sample | None:
    """A sample of the training rows. None where the file cannot be read: the training will say why."""
    try:
        path = find_data(config.data.train)
        size = path.stat().st_size
        if path.suffix.lower() in (".txt", ".md"):
            return _text_sample(config, path, size)
        rows, records = _rows(path, size)
        if not records:
            return None
        valid, test = 0, int(rows * config.data.test_fraction)
        if config.data.valid:
            valid_path = find_data(config.data.valid)
            valid = _rows(valid_path, valid_path.stat().st_size)[0]
        else:
            valid = int(rows * config.data.valid_fraction)
            rows -= valid
        rows -= test
    except (UserError, OSError, ValueError):
        return None
    template = TEMPLATES[config.data.template]
    pieces = [segment for record in records for segment in template.segments(record)]
    total = sum(len(piece.text.encode("utf-8", "replace")) for piece in pieces)
    learnt = sum(len(piece.text.encode("utf-8", "replace")) for piece in pieces if piece.learn)
    chars = sum(len(piece.text) for piece in pieces)
    count = len(records)
    plain = all(record.text for record in records)
    return Sample(sample_key(config), rows, total / count, chars / count, learnt / max(1, total), valid, plain)


def _text_sample(config: Config, path: Path, size: int) -> Sample:
    """One long text: its bytes are known, its characters follow from the beginning."""
    with open_regular(path, DataError) as file:
        head = file.read(SAMPLE_BYTES)
    chars = len(head.decode("utf-8", "ignore")) / max(1, len(head))
    return Sample(sample_key(config), 1, float(size), size * chars, plain=True)


def _rows(path: Path, size: int) -> tuple[int, list[Record]]:
    """How many rows a file has, about, and the first of them."""
    with open_regular(path, DataError) as file:
        head = file.read(SAMPLE_BYTES)
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        if size > WHOLE_FILE_BYTES:
            return 0, []
        whole = list(read_records(path))
        return len(whole), whole[:SAMPLE_ROWS]
    lines = head.count(b"\n") + (not head.endswith(b"\n"))
    rows = lines if size <= len(head) else round(lines * size / len(head))
    return rows, list(islice(read_records(path), SAMPLE_ROWS))


# -- earlier runs -------------------------------------------------------------------------------------------------


def look_at_runs(folder: Path) -> list[KnownRun]:
    """The newest runs that say how fast they were."""
    try:
        found = [(path.stat().st_mtime, path.parent) for path in folder.glob("*/metrics.jsonl")]
    except OSError:
        return []
    found.sort(key=lambda item: item[0], reverse=True)
    known = (_look_at_run(run) for _when, run in found[:MAX_RUNS])
    return [run for run in known if run is not None]


def _look_at_run(run: Path) -> KnownRun | None:
    try:
        config = load_config(file=run / "config.yaml", stored=True)
        started, step = _edges(run / "metrics.jsonl")
    except (UserError, OSError):
        return None
    if started is None or step is None or step.step < MIN_STEPS or step.elapsed < MIN_SECONDS or not step.tokens:
        return None
    train = started.data.get("train")
    if not isinstance(train, dict) or not train.get("rows") or not train.get("tokens"):
        return None
    valid = started.data.get("valid")
    corpus = Corpus(
        int(train["rows"]),
        float(train["tokens"]) / float(train["rows"]),
        float(train.get("supervised_tokens") or train["tokens"]) / float(train["tokens"]),
        int(valid.get("rows", 0)) if isinstance(valid, dict) else 0,
        counted=True,
    )
    rate = step.elapsed / step.tokens
    return KnownRun(run.name, config, started.vocab_size, started.dtype, rate, corpus, started.threads)


def _edges(metrics: Path) -> tuple[Started | None, Step | None]:
    """The first ``Started`` and the last ``Step`` of a file that may be long."""
    with open_regular(metrics, DataError) as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(EDGE_BYTES)
        tail = head
        if size > EDGE_BYTES:
            file.seek(max(0, size - EDGE_BYTES))
            tail = file.read(EDGE_BYTES)
    started = next((event for event in _events(head.splitlines()) if isinstance(event, Started)), None)
    step = next((event for event in _events(reversed(tail.splitlines())) if isinstance(event, Step)), None)
    return started, step


def _events(lines: Any) -> Iterator[Event]:
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):  # cut off at the edge, or still being written
            continue
        event = from_json(value) if isinstance(value, dict) else None
        if event is not None:
            yield event


# -- this machine -------------------------------------------------------------------------------------------------


def measure_machine(threads: int | None = None) -> Machine:
    """Matrix products a second in fp32 and bf16, and one pass over numbers: some 0.2 s.

    To be called only while nothing is trained: both would be slower.
    """
    import torch

    from core.threads import borrowed_threads

    flops: dict[str, float] = {}
    with borrowed_threads(threads):
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            left = torch.ones(512, 256, dtype=dtype)
            right = torch.ones(256, 1024, dtype=dtype)
            try:
                seconds = _fastest(lambda a=left, b=right: torch.mm(a, b))
            except RuntimeError:  # a build of torch without bf16 products
                flops[name] = flops["fp32"]
                continue
            flops[name] = 2.0 * 512 * 256 * 1024 / seconds
        numbers = torch.ones(512, 1024)
        element = _fastest(lambda: torch.nn.functional.silu(numbers)) / numbers.numel()
        return Machine(flops, element, fast_dtype())


def _fastest(work: Any) -> float:
    """Seconds of the fastest of many tries: another process may have the core for a while."""
    times: list[float] = []
    until = time.perf_counter() + 0.04
    while len(times) < 5 or time.perf_counter() < until:
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return max(1e-9, min(times[1:]))
