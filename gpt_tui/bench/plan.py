"""All measurements of ``gpt-tui bench``, one after the other, and how long each may take."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.bench.child import measure

from .beside import measure_beside
from .launch import measure_launches

Result = dict[str, Any]


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    recipes: tuple[str, ...]
    rounds: int
    """Of the trainings, each in a fresh process; the recipes take turns."""
    step_seconds: float
    """About how long the steps of one recipe run in one round."""
    answer_rounds: int
    launches: int
    app_steps: int
    app_pairs: int


FULL = Extent(("teacher", "reader", "reader-100m"), 2, 6.0, 5, 3, 50, 2)
QUICK = Extent(("teacher", "reader"), 1, 4.0, 3, 2, 30, 1)

#: Seconds of a step for each million parameters, times the rows of a batch: only to choose a number of steps.
SECONDS_PER_MILLION_AND_ROW = 0.001


def steps_for(recipe: str, seconds: float) -> int:
    """How many steps of a recipe run in about so many seconds: at least 6."""
    from core.bench.child import bench_config
    from core.skeleton import count_parameters

    config = bench_config(recipe)
    millions = sum(count_parameters(config.model, config.tokenizer.vocab_size).values()) / 1e6
    return max(6, min(200, round(seconds / (millions * config.training.batch_size * SECONDS_PER_MILLION_AND_ROW))))


def measure_all(extent: Extent, folder: Path) -> Iterator[tuple[str, str, Result]]:
    """Yields (part, name, result) as they come; an empty result before each tells what is being measured.

    Parts: 'peak_gflops', 'training' (one for each recipe), 'generation', 'app', 'startup_seconds'.
    """
    cache, runs = folder / "cache", folder / "runs"
    for path in (cache, runs):
        path.mkdir()
    yield "peak_gflops", "", {}
    yield "peak_gflops", "", measure({"kind": "peak"})
    found: dict[str, list[Result]] = {recipe: [] for recipe in extent.recipes}
    steps = {recipe: steps_for(recipe, extent.step_seconds) for recipe in extent.recipes}
    for number in range(extent.rounds):
        for recipe in extent.recipes if number % 2 == 0 else extent.recipes[::-1]:
            yield "training", recipe, {}
            task = {"kind": "training", "recipe": recipe, "folder": str(folder), "cache": str(cache)}
            found[recipe].append(measure(task | {"steps": steps[recipe], "warm": max(3, steps[recipe] // 10)}))
    for recipe in extent.recipes:
        yield "training", recipe, medians(found[recipe])
    first = extent.recipes[0]
    yield "generation", first, {}
    yield (
        "generation",
        first,
        measure({"kind": "answers", "recipe": first, "cache": str(cache), "rounds": extent.answer_rounds}),
    )
    yield "app", first, {}
    beside = measure_beside(folder, runs, first, steps=extent.app_steps, pairs=extent.app_pairs)
    yield "app", first, beside
    yield "startup_seconds", "", {}
    yield "startup_seconds", "", measure_launches(folder, runs, beside["run"], extent.launches)


def medians(rounds: Sequence[Result]) -> Result:
    """The same measurement several times as one: the median of each number, part by part; anything else as in the
    first."""
    first = rounds[0]
    found: Result = {}
    for key, value in first.items():
        every = [result[key] for result in rounds]
        if isinstance(value, dict):
            found[key] = medians(every)
        elif isinstance(value, float):
            found[key] = statistics.median(every)
        elif key.endswith("_bytes"):
            found[key] = max(every)
        else:
            found[key] = value
    return found
