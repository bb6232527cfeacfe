"""Which questions are asked after each evaluation, to watch the answers form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from .config import Config, load_config, recipe_names
from .records import Record
from .schema import Probe

#: Questions taken out of the data, rows that are looked at for them, and characters of the longest that is.
OWN, LOOKED_AT, LONGEST = 2, 200, 200


def probes_of(config: Config, valid: Iterable[Record], train: Iterable[Record]) -> Sequence[Probe]:
    """Those of ``data.probes``; but the ones that came with a recipe are about its data. Who trains it on other data
    and has not changed them is asked the first short questions of that, of ``valid`` where there are any."""
    probes = config.data.probes
    if not probes or config.recipe not in recipe_names():
        return probes
    recipe = load_config(config.recipe).data
    # 'gpt-tui init' puts the recipe's data into a folder, to be edited: its questions still are about it.
    if f"/{Path(config.data.train).as_posix()}".endswith(f"/{recipe.train}") or probes != recipe.probes:
        return probes
    for rows in (valid, train):
        found = [
            Probe(prompt=row.prompt, expected=row.completion.strip())
            for row in islice(filter(_can_be_asked, islice(rows, LOOKED_AT)), OWN)
        ]
        if found:
            return found
    return []


def _can_be_asked(row: Record) -> bool:
    """One question alone, and one that fits a line or two."""
    return len(row.turns) == 1 and not row.system and not row.turns[0].context and len(row.prompt) <= LONGEST
