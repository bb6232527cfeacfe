"""Which questions are asked after each evaluation, to watch the answers form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from .config import Config, load_config, recipe_names
from .records import Record
from .schema import Probe

#: Questions taken out of the data, and rows that are looked at for them.
OWN, LOOKED_AT = 2, 200


def probes_of(config: Config, valid: Iterable[Record], train: Iterable[Record]) -> Sequence[Probe]:
    """Those of ``data.probes``; but the ones that came with a recipe are about its data. Who trains it on other data
    and has not changed them is asked the first questions of that, of ``valid`` where there are any."""
    probes = config.data.probes
    if not probes or config.recipe not in recipe_names():
        return probes
    recipe = load_config(config.recipe).data
    if config.data.train == recipe.train or probes != recipe.probes:
        return probes
    for rows in (valid, train):
        alone = (r for r in islice(rows, LOOKED_AT) if len(r.turns) == 1 and not (r.system or r.turns[0].context))
        found = [Probe(prompt=r.prompt, expected=r.completion.strip()) for r in islice(alone, OWN)]
        if found:
            return found
    return []
