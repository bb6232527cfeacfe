"""The rows that a run was judged by, and the files it was trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from core.config import Config
from core.held_out import held_out_rows, learnt_from, split_of
from core.runs import LoadedModel


def model(folder: Path, config: Config | None = None, **sums: str) -> LoadedModel:
    state = {"data_sha256": {name.replace("__", "/"): digest for name, digest in sums.items()}}
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    return cast(LoadedModel, SimpleNamespace(path=folder, config=config or Config()))


def test_files_that_it_was_only_judged_by_are_not_what_it_learnt_from(tmp_path: Path) -> None:
    loaded = model(tmp_path, train="a", valid__rows="b")
    assert learnt_from(loaded, "a")
    assert not learnt_from(loaded, "b")
    assert not learnt_from(model(tmp_path), "a")


def test_a_row_that_stands_twice_is_asked_once(tmp_path: Path, write_rows: Callable[..., Path]) -> None:
    rows: list[dict[str, Any]] = [{"prompt": "a", "completion": "b"}] * 2 + [{"prompt": "c", "completion": "d"}]
    path = write_rows(rows, "valid.jsonl")
    found, records = held_out_rows(model(tmp_path, Config().update({"data.valid": str(path)})), tmp_path)
    assert (found, [record.prompt for record in records]) == (path, ["a", "c"])


def test_another_seed_holds_out_other_rows() -> None:
    splits = [{}, {"training.seed": 8}, {"data.valid_fraction": 0.3}, {"data.test_fraction": 0.1}]
    assert len({split_of(Config().update({"data.valid": None, **changes})) for changes in splits}) == 4
