"""Questions answered in batches, as the evaluation does, against one after the other.

``python -m benchmarks.batched_eval --run NAME`` asks 1,000 questions of the corpus that the run was trained on;
without ``--run`` the teacher recipe is trained for 100 steps first.
"""

from __future__ import annotations

import time
from pathlib import Path

from core.evaluate import ask_all, questions_of
from core.fit import fit
from core.generate import answer
from core.records import Record, read_records
from core.runs import LoadedModel, find_run, runs_folder
from core.sources import data_file
from core.template import TEMPLATES

from . import common

QUESTIONS = 1000


def one_by_one(loaded: LoadedModel, records: list[Record]) -> float:
    """Seconds."""
    begin = time.perf_counter()
    for record in records:
        answer(loaded, record.prompt)
    return time.perf_counter() - begin


def in_batches(loaded: LoadedModel, records: list[Record]) -> float:
    """Seconds."""
    begin = time.perf_counter()
    template = TEMPLATES[loaded.config.data.template]
    list(ask_all(loaded.model, loaded.tokenizer, template, loaded.config.sampling, records))
    return time.perf_counter() - begin


def trained(chosen: common.Options, where: Path) -> LoadedModel:
    if chosen.given.run:
        return find_run(runs_folder(), chosen.given.run).load()
    config = common.config_of("teacher", chosen, **{
        "training.max_steps": 4 if chosen.tiny else 100, "training.figures": False, "training.int8": False,
        "data.verify_rows": 0, "data.probes": []})  # fmt: skip
    return fit(config, runs_dir=str(where), run="short").load()


def main(arguments: list[str] | None = None) -> None:
    chosen = common.options(__doc__, rounds=1, steps=QUESTIONS, add={"run": ""}, arguments=arguments)
    with common.folder() as where:
        loaded = trained(chosen, where)
        common.use_all_cores(loaded.config)
        rows = questions_of(list(read_records(data_file(loaded.config, loaded.config.data.train, where))))
        step = max(1, len(rows) // chosen.steps)
        records = rows[::step][: chosen.steps]
        few = records[:: max(1, len(records) // 20)]
        in_batches(loaded, few), one_by_one(loaded, few)
        seconds = {"in batches": 0.0, "one by one": 0.0}
        for _ in range(chosen.rounds):
            seconds["in batches"] += in_batches(loaded, records) / chosen.rounds
            seconds["one by one"] += one_by_one(loaded, records) / chosen.rounds
        common.tell(f"{len(records)} questions, {loaded.config.recipe}", seconds, "s", chosen, less=True)


if __name__ == "__main__":
    main()
