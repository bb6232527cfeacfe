"""What the estimates have to look up or measure: the first rows of the data, earlier runs, this machine's speed.

Everything here may take a while and belongs into a worker; torch is imported only to measure the machine.
"""

from __future__ import annotations

import contextlib
import json
import math
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
from core.machine import choose_device, fast_dtype
from core.records import Record, find_data, read_records
from core.storage import MARK, open_regular
from core.template import TEMPLATES, Segment

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
#: Of the measurement of this machine, of three times 30 ms.
ROUNDS = 3


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
        if Path(config.data.train).suffix.lower() in (".txt", ".md"):
            path = find_data(config.data.train)
            return _text_sample(config, path, path.stat().st_size)
        rows, records = _rows_of(config, config.data.train)
        if not records:
            return None
        valid, test = 0, int(rows * config.data.test_fraction)
        if config.data.valid:
            valid = _rows_of(config, config.data.valid)[0]
        else:
            valid = int(rows * config.data.valid_fraction)
            rows -= valid
        rows -= test
    except (UserError, OSError, ValueError):
        return None
    template = TEMPLATES[config.data.template]
    texts = [template.segments(record) for record in records]
    pieces = [piece for text in texts for piece in text]
    rows_left, text_left = _joined(texts, config)
    total = sum(len(piece.text.encode("utf-8", "replace")) for piece in pieces) * text_left
    learnt = sum(len(piece.text.encode("utf-8", "replace")) for piece in pieces if piece.learn)
    chars = sum(len(piece.text) for piece in pieces) * text_left
    count = len(records) * rows_left
    plain = all(record.text for record in records)
    rows = round(rows * rows_left)
    return Sample(sample_key(config), rows, total / count, chars / count, learnt / max(1.0, total), valid, plain)


def _rows_of(config: Config, name: str) -> tuple[int, list[Record]]:
    """How many rows a file has or, where it is to be made, will have, and the first of them."""
    from core.corpora.made import corpus_of, first_rows

    data, corpus = config.data, corpus_of(name)
    if corpus is None:
        path = find_data(name)
        return _rows(path, path.stat().st_size)
    if name != data.train:
        return data.corpus_valid, []
    return data.corpus_rows, first_rows(corpus, min(SAMPLE_ROWS, data.corpus_rows), data.corpus_seed)


def _joined(texts: list[list[Segment]], config: Config) -> tuple[float, float]:
    """The shares of rows and of text that remain where questions on the same passage become one row, each character
    taken for a token."""
    if config.data.questions_together == 1:
        return 1.0, 1.0
    import numpy as np  # not for the first screen: 0.1 s

    from core.branches import join_beginnings
    from core.dataset import Dataset, RowStats

    letters = [np.fromiter(map(ord, "".join(piece.text for piece in text)), np.int32) for text in texts]
    learn = [np.repeat([piece.learn for piece in text], [len(piece.text) for piece in text]) for text in texts]
    lengths = np.asarray([len(row) for row in letters], dtype=np.int32)
    starts = np.concatenate([[0], np.cumsum(lengths[:-1], dtype=np.int64)])
    alone = Dataset(np.concatenate(letters), np.concatenate(learn), starts, lengths, RowStats())
    together = join_beginnings(alone, config.data.questions_together, config.model.seq_len + 1)
    return len(together) / len(alone), len(together.tokens) / len(alone.tokens)


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
    if head.removeprefix(MARK).lstrip().startswith(b"["):
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
        return _known_run(run)
    except (UserError, OSError, TypeError, ValueError, AttributeError, ArithmeticError):
        return None  # its record is damaged, or somebody else's: it says nothing


def _known_run(run: Path) -> KnownRun | None:
    config = load_config(file=run / "config.yaml", stored=True)
    started, step = _edges(run / "metrics.jsonl")
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
    """Matrix products a second in fp32 and bf16, and one pass over numbers: some 0.3 s.

    To be called only while nothing is trained: both would be slower. In turn, because the threads that the first
    parallel loop begins may share one core for 50 ms: in one of four processes all were half as fast at first.
    """
    import torch

    from core.threads import borrowed_threads

    left, right, numbers = torch.ones(512, 256), torch.ones(256, 1024), torch.ones(512, 1024)
    left16, right16 = left.bfloat16(), right.bfloat16()
    work: dict[str, Callable[[], object]] = {
        "fp32": lambda: torch.mm(left, right),
        "bf16": lambda: torch.mm(left16, right16),
        "element": lambda: torch.nn.functional.silu(numbers),
    }
    seconds = dict.fromkeys(work, math.inf)
    with borrowed_threads(threads):
        for _round in range(ROUNDS):
            for name, once in work.items():
                with contextlib.suppress(RuntimeError):  # a build of torch without bf16 products
                    seconds[name] = min(seconds[name], _fastest(once))
    element = seconds.pop("element") / numbers.numel()
    if seconds["bf16"] == math.inf:
        seconds["bf16"] = seconds["fp32"]
    flops = {name: 2.0 * 512 * 256 * 1024 / taken for name, taken in seconds.items()}
    return Machine(flops, element, fast_dtype(), choose_device("auto"))


def _fastest(work: Callable[[], object]) -> float:
    """Seconds of the fastest of many tries: another process may have the core for a while."""
    times: list[float] = []
    until = time.perf_counter() + 0.03
    while len(times) < 5 or time.perf_counter() < until:
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return max(1e-9, min(times[1:]))
