"""``gpt-tui runs export`` and what a spreadsheet finds in it."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest

from core.events import Eval, Started, State, Step
from core.runs import Run
from gpt_tui.metrics_table import COLUMNS, as_csv


def test_steps_and_evaluations_share_their_rows() -> None:
    text = as_csv(
        [
            State("training"),
            Step(10, 2.5, 1e-3, 0.5, 1000.0, 3.25, None, 0.5, 640),
            Step(20, math.nan, 5e-4, math.inf, 1000.0, 6.5, 1.0, 1.0, 1280),
            Eval(20, 2.25, 2.25, 20, True),
            Eval(25, 2.5, math.inf),
            Step(10, 3.5, 1e-3, 0.5, 1000.0, 3.25, None, 0.5, 640),
        ]
    )
    assert text == (
        "step,epoch,tokens,loss,lr,grad_norm,tokens_per_second,elapsed_seconds,eval_loss,best_eval_loss\n"
        "10,0.5,640,3.5,0.001,0.5,1000.0,3.25,,\n"
        "20,1.0,1280,,0.0005,,1000.0,6.5,2.25,2.25\n"
        "25,,,,,,,,2.5,\n"
    )
    assert as_csv([]) == ",".join(COLUMNS) + "\n"


def test_a_file_that_others_wrote_gives_numbers_or_nothing() -> None:
    hostile: Any = "=HYPERLINK(1)"
    assert as_csv([Step(1, hostile, True, 10**400, [], {}, None)]).splitlines()[1] == "1,0.0,0,,,,,,,"  # type: ignore[arg-type]


def test_export_writes_every_figure(gpt_tui: Any, trained: Path, tmp_path: Path) -> None:
    done = gpt_tui("runs", "export", "tiny")
    assert done.code == 0
    rows = list(csv.DictReader(done.out.splitlines()))
    steps = [event for event in Run(trained).read_metrics() if isinstance(event, Step)]
    assert [(int(row["step"]), float(row["loss"])) for row in rows if row["loss"]] == [(e.step, e.loss) for e in steps]
    evals = [event for event in Run(trained).read_metrics() if isinstance(event, Eval)]
    assert [float(row["eval_loss"]) for row in rows if row["eval_loss"]] == [event.loss for event in evals]
    file = tmp_path / "鲸 numbers.csv"
    written = gpt_tui("runs", "export", "--csv", file)
    assert (written.code, written.out) == (0, f"written: {file}\n")
    assert file.read_text(encoding="utf-8") == done.out


def test_export_as_json(gpt_tui: Any, trained: Path) -> None:
    done = gpt_tui("runs", "export", "tiny", "--json")
    rows = list(csv.DictReader(gpt_tui("runs", "export", "tiny").out.splitlines()))
    assert [{key: float(text) for key, text in row.items() if text} for row in rows] == json.loads(done.out)


def test_export_that_cannot_be_written(gpt_tui: Any, trained: Path) -> None:
    done = gpt_tui("runs", "export", "tiny", "--csv", trained / "config.yaml" / "x.csv")
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert gpt_tui("runs", "export", "none").code == 1


@pytest.mark.parametrize("option", [[], ["--tensorboard"]])
def test_the_option_is_a_setting(option: list[str]) -> None:
    import argparse

    from gpt_tui.commands import train

    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    wanted = ["training.tensorboard=true"] if option else []
    assert train.config_arguments(parser.parse_args(option)) == wanted


def test_started_is_no_row() -> None:
    assert as_csv([Started("a", "p", "r", 0, "cpu", 1, "fp32", 1, 300, 8, None)]).count("\n") == 1
