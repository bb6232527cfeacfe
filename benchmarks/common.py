"""What the comparisons share: both sides in one process, in turn, and the ratio of their medians.

Each script is run as ``python -m benchmarks.NAME`` in a checkout. ``--tiny`` takes a model and data so small that
the script itself is what is tried; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.machine import reuse_memory, share_the_processor

reuse_memory()
share_the_processor()  # before torch is loaded, as gpt-tui itself does

import torch  # noqa: E402

from core import machine  # noqa: E402
from core.batches import epoch_order  # noqa: E402
from core.bench.child import bench_config  # noqa: E402
from core.bench.steps import prepared_data, ready_trainer  # noqa: E402
from core.config import Config  # noqa: E402
from core.dataset import Dataset  # noqa: E402
from core.prepare import Prepared  # noqa: E402
from core.runs import Run  # noqa: E402

Side = Callable[[], float]
Rows = npt.NDArray[np.int64]

#: Settings of ``--tiny``.
TINY = {
    "model.n_layer": 1, "model.n_head": 2, "model.n_embd": 32, "model.mlp_hidden": None, "model.init": "random",
    "tokenizer.vocab_size": 300,
    "training.batch_size": 4, "training.micro_batch": None, "training.dtype": "fp32", "training.threads": 1,
    "data.corpus_rows": 40, "data.corpus_valid": 4,
}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What the command line of a script says."""

    rounds: int
    steps: int
    """Steps, or answers, of one turn of a side."""
    tiny: bool
    json: bool
    given: argparse.Namespace


def options(description: str | None, *, rounds: int = 4, steps: int = 10, add: Mapping[str, str] | None = None,
            arguments: list[str] | None = None) -> Options:  # fmt: skip
    """Parse the command line; ``add`` names more options and their defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"turns of each side (default: {rounds})")
    parser.add_argument("--steps", type=int, default=steps, help=f"steps in a turn (default: {steps})")
    parser.add_argument("--tiny", action="store_true", help="only try the script")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    for name, default in (add or {}).items():
        parser.add_argument(f"--{name}", default=default, help=f"default: {default or 'none'}")
    given = parser.parse_args(arguments)
    if given.tiny:
        given.rounds, given.steps = 1, 2
    return Options(given.rounds, given.steps, given.tiny, given.json, given)


def take_turns(sides: Mapping[str, Side], rounds: int) -> dict[str, float]:
    """Median figure of each side, run A B A B …; a round before that warms up and does not count."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            figure = side()
            if number:
                found[name].append(figure)
    return {name: statistics.median(figures) for name, figures in found.items()}


def tell(title: str, found: Mapping[str, float], unit: str, chosen: Options, *, less: bool = False) -> dict[str, Any]:
    """Print each side and how many times better the first is than each other; ``less`` is better for seconds."""
    first, *others = found
    ratios = {name: found[name] / found[first] if less else found[first] / found[name] for name in others}
    result = {"what": title, "unit": unit, "sides": dict(found), "ratios": ratios, "rounds": chosen.rounds}
    if chosen.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        print(title)
        for name, figure in found.items():
            ratio = f"   {first} is {ratios[name]:.2f} times as good" if name in ratios else ""
            print(f"  {name:36} {figure:12,.{3 if figure < 10 else 2}f} {unit}{ratio}")
    return result


def config_of(recipe: str, chosen: Options, **changes: Any) -> Config:
    """A recipe as it is compared: a made corpus is a small one."""
    config = bench_config(recipe)
    if chosen.tiny:
        config = config.update({**TINY, "model.n_kv_head": None})
    return config.update(changes)


def training_of(chosen: Options) -> Config:
    """The recipe, optimizer and number of rows that share a beginning that the command line names."""
    changes: dict[str, Any] = {"training.optimizer": chosen.given.optimizer}
    if chosen.given.together:
        changes["data.questions_together"] = int(chosen.given.together)
    return config_of(chosen.given.recipe, chosen, **changes)


def alone(config: Config, prepared: Prepared, where: Path) -> tuple[Config, Prepared]:
    """For a program that cannot compute what several rows share once (``core/branches.py``): as many rows in a step,
    each by itself."""
    together = config.data.questions_together
    if together == 1:
        return config, prepared
    changes = {"data.questions_together": 1, "training.batch_size": config.training.batch_size * together}
    single = config.update(changes)
    return single, training_data(single, where)


@contextmanager
def folder() -> Iterator[Path]:
    """For corpora and runs; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="gpt-tui-benchmark-") as path:
        yield Path(path)


def use_all_cores(config: Config) -> None:
    torch.set_num_threads(config.training.threads or machine.usable_cores())


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def batches_of(prepared: Prepared, batch_size: int) -> Iterator[Rows]:
    """Row numbers of batch after batch without end, rows of similar length together, as the engine has it."""
    epoch = 0
    while True:
        yield from epoch_order(prepared.train.lengths, batch_size, 42, epoch)
        epoch += 1


def random_batches(prepared: Prepared, batch_size: int) -> Iterator[Rows]:
    """Row numbers of batch after batch, shuffled and no more, as other loops have it."""
    generator = np.random.default_rng(42)
    while True:
        order = generator.permutation(len(prepared.train))
        whole = len(order) - len(order) % min(batch_size, len(order))
        yield from order[:whole].reshape(-1, min(batch_size, len(order)))


def padded(prepared: Prepared, rows: Rows, width: int | None = None) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Inputs and targets (rows, width) of shifted tokens, -100 where nothing is learnt, and the real tokens; the
    width of the longest row where none is given."""
    data = prepared.train
    longest = int(data.lengths[rows].max()) - 1
    inputs = torch.full((len(rows), max(width or 0, longest)), prepared.tokenizer.pad)
    targets = torch.full_like(inputs, -100)
    for i, row in enumerate(rows):
        begin, length = int(data.starts[row]), int(data.lengths[row])
        tokens = torch.from_numpy(data.tokens[begin : begin + length].astype(np.int64))
        learn = torch.from_numpy(data.learn[begin + 1 : begin + length])
        inputs[i, : length - 1] = tokens[:-1]
        targets[i, : length - 1] = tokens[1:].masked_fill(~learn, -100)
    return inputs, targets, int(data.lengths[rows].sum()) - len(rows)


Step = Callable[[], int]


def rate_of(step: Step, steps: int) -> Side:
    """A side whose figure is real tokens a second over ``steps`` steps, each of which returns its real tokens."""

    def side() -> float:
        begin = time.perf_counter()
        tokens = sum(step() for _ in range(steps))
        return tokens / (time.perf_counter() - begin)

    return side


def own_step(config: Config, prepared: Prepared, where: Path, batches: Iterator[Rows] | None = None) -> Step:
    """The engine's own training step, on its own batches where none are given. Tokens that rows share are computed once
    and counted for each row, as the other side has to compute them: loss and gradient are the same."""
    trainer = ready_trainer(config, Run(where / "run"), prepared)
    batches = batches or batches_of(prepared, config.training.batch_size)
    tokens = tokens_alone(prepared.train)

    def step() -> int:
        rows = next(batches)
        trainer.step(rows, config.training.lr)
        trainer.progress.step += 1
        return int(tokens[rows].sum())

    return step


def tokens_alone(data: Dataset) -> npt.NDArray[np.int64]:
    """(rows,) tokens predicted in each row, in one with branches the sum over rows that have each alone."""
    found = data.lengths.astype(np.int64) - 1
    if data.branches is not None:
        counts = branches_in(data)
        for number, (begin, length) in enumerate(zip(data.starts, data.lengths, strict=True)):
            common = int((data.branches[begin : begin + length] == 0).sum())
            found[number] = length - common + counts[number] * (common - 1)
    return found


def branches_in(data: Dataset) -> npt.NDArray[np.int64]:
    """(rows,) how many rows each of them was before they were joined."""
    if data.branches is None:
        return np.ones(len(data), dtype=np.int64)
    return np.maximum(1, np.maximum.reduceat(data.branches, data.starts)).astype(np.int64)


def full_rows(prepared: Prepared, together: int, count: int) -> Iterator[tuple[Rows, Rows]]:
    """Batch after batch of ``count`` rows, ``together`` joined in each: their numbers, and those of the same rows where
    each stands by itself (``alone``)."""
    counts = branches_in(prepared.train)
    first = np.cumsum(counts) - counts
    order = np.random.default_rng(42).permutation(np.flatnonzero(counts == together))
    many = count // together
    if not 0 < many <= len(order):
        raise SystemExit(f"steps of {count} rows: the corpus has {len(order)} times {together} that can be joined")
    while True:
        for begin in range(0, len(order) - many + 1, many):
            joined = order[begin : begin + many]
            yield joined, (first[joined][:, None] + np.arange(together)).ravel()


def training_data(config: Config, where: Path) -> Prepared:
    use_all_cores(config)
    return prepared_data(config, where)
