"""``gpt-tui chat`` in a terminal: what the app is opened with."""

from pathlib import Path

import pytest

from core.config import Config
from core.default import Default, write_default
from gpt_tui import cli
from gpt_tui.screen import Opening


@pytest.fixture(autouse=True)
def _two_runs(opened: list[Opening]) -> None:
    for name in ("a", "b"):
        Path("runs", name).mkdir(parents=True)
        Path("runs", name, "config.yaml").write_text("recipe: teacher\n", encoding="utf-8")


def test_the_chat_tab_finds_the_newest_run_itself(opened: list[Opening]) -> None:
    assert cli.main(["chat"]) == 0
    assert (opened[0].tab, opened[0].ask, opened[0].seed) == ("chat", None, None)


def test_a_run_and_a_checkpoint(opened: list[Opening], tmp_path: Path) -> None:
    assert cli.main(["chat", "--run", "a", "--checkpoint", "best"]) == 0
    assert cli.main(["chat", "--run", "a"]) == 0
    assert [opening.ask and opening.ask.absolute() for opening in opened] == [tmp_path / "runs" / "a"] * 2
    assert [opening.checkpoint for opening in opened] == ["best", "last"]


def test_the_promoted_checkpoint_is_asked_where_none_is_named(opened: list[Opening]) -> None:
    write_default(Path("runs"), Default("b", "step-00000120"))
    assert cli.main(["chat"]) == 0
    assert (opened[0].ask, opened[0].checkpoint) == (Path("runs/b"), "step-00000120")


def test_how_it_answers(opened: list[Opening]) -> None:
    assert cli.main(["chat", "--temperature", "0.7", "--stop", "。", "--seed", "7"]) == 0
    assert opened[0].seed == 7
    assert opened[0].sampling is not None
    sampling = opened[0].sampling(Config().update({"sampling.top_k": 5}))
    assert (sampling.temperature, sampling.stop, sampling.top_k) == (0.7, ["。"], 5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--run", "nobody"], "no run 'nobody'"), (["--temperature", "-1"], "sampling.temperature")],
)
def test_what_is_wrong_is_said_before_the_screen_opens(
    arguments: list[str], words: str, opened: list[Opening], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--lang", "en", "chat", *arguments]) == 1
    assert words in capsys.readouterr().err
    assert opened == []
