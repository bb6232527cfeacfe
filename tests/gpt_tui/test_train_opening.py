"""``gpt-tui train`` without ``--no-ui``: what the app is opened with."""

import json
from pathlib import Path

import pytest

from core.events import Event, Step
from gpt_tui import cli
from gpt_tui.screen import Opening


def make_run(folder: Path, name: str, *events: Event) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "config.yaml").write_text("recipe: teacher\ntraining:\n  max_steps: 5\n", encoding="utf-8")
    lines = [json.dumps(event.to_json()) + "\n" for event in events]
    (folder / name / "metrics.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder / name


def test_a_new_run(opened: list[Opening]) -> None:
    assert cli.main(["train", "--steps", "7", "--set", "training.lr=0.002", "--run", "mine"]) == 0
    (opening,) = opened
    assert opening.start
    assert opening.run_name == "mine"
    assert opening.resume is None
    assert opening.config is not None
    assert (opening.config.training.max_steps, opening.config.training.lr) == (7, 0.002)


def test_config_yaml_of_the_folder(opened: list[Opening], tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("recipe: teacher\ntraining:\n  lr: 0.003\n", encoding="utf-8")
    assert cli.main(["train"]) == 0
    assert opened[0].config is not None
    assert opened[0].config.training.lr == 0.003
    assert opened[0].config_file == Path("config.yaml")


def test_going_on_with_a_run(opened: list[Opening], tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", "old")
    assert cli.main(["train", "--resume", "old"]) == 0
    assert cli.main(["train", "--resume", "old", "--steps", "9"]) == 0
    first, second = opened
    assert first.resume is not None
    assert first.resume.absolute() == run
    assert first.config is None
    assert second.config is not None
    assert second.config.training.max_steps == 9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--run", "old"], "exists already"),
        (["train", "--run", "../x"], "a run's name is"),
        (["train", "--resume", "nobody"], "no run 'nobody'"),
        (["train", "--recipe", "teachr"], "teacher"),
        (["train", "--set", "training.lr=fast"], "training.lr"),
    ],
)
def test_what_is_wrong_is_said_before_the_screen_opens(
    arguments: list[str], words: str, opened: list[Opening], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "runs", "old", Step(1, 5.0, 1e-3, 1.0, 900.0, 1.0, None))
    assert cli.main(["--lang", "en", *arguments]) == 1
    assert words in capsys.readouterr().err
    assert opened == []


def test_a_run_in_which_nothing_was_learnt_is_begun_again(opened: list[Opening], tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", "old")
    before = (run / "config.yaml").read_text(encoding="utf-8")
    assert cli.main(["train", "--run", "old"]) == 0
    assert opened[0].run_name == "old"
    assert (run / "config.yaml").read_text(encoding="utf-8") == before, "whoever only opens the app changes nothing"
