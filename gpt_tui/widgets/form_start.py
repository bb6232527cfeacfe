"""Training a model further, from the form: who names what to begin with gets its network and its vocabulary too."""

from __future__ import annotations

from pathlib import Path

from core.config import Config, load_config
from core.errors import UserError
from core.storage import read_json

KEY = "training.start_from"


def shape_of(name: str, runs: Path) -> Config | None:
    """The settings of what ``training.start_from`` names: a run of the folder ``runs``, ``RUN:CHECKPOINT``, or the
    folder of either; None where there is no such thing. Reads settings only: the engine looks at the weights."""
    for spec in (name, name.rpartition(":")[0]):
        for path in (runs / spec, Path(spec)) if spec else ():
            try:
                if (path / "config.yaml").is_file():
                    return load_config(file=path / "config.yaml", stored=True)
                if (path / "state.json").is_file():
                    state = read_json(path / "state.json")
                    return Config.from_dict(state["config"])
            except (UserError, OSError, ValueError, KeyError, TypeError):
                continue
    return None
