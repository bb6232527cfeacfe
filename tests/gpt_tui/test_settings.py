from pathlib import Path

import pytest

from core.runs import runs_folder as core_runs_folder
from gpt_tui.desk import default_config, runs_folder
from gpt_tui.settings import AppSettings, config_folder, state_folder


def test_values_are_kept_and_typed(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "app.json"
    settings = AppSettings(path)
    settings.put("theme", "nord")
    settings.put("plot.smoothing", 0.9)
    settings.put("names", ["一", "b"])
    again = AppSettings(path)
    assert again.get("theme", "") == "nord"
    assert again.get("plot.smoothing", 0.0) == 0.9
    assert again.get_list("names") == ["一", "b"]
    assert again.get("theme", 5) == 5, "a value of another type counts as none"
    assert again.get("missing", True) is True


@pytest.mark.parametrize("text", ["", "[]", "{", '{"theme": 3}', "\x00", "[" * 100_000])
def test_a_broken_file_means_the_defaults(text: str, tmp_path: Path) -> None:
    path = tmp_path / "app.json"
    path.write_text(text, encoding="utf-8")
    settings = AppSettings(path)
    assert settings.get("theme", "x") == "x"
    settings.put("theme", "y")
    assert AppSettings(path).get("theme", "x") == "y"


def test_without_a_file_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = AppSettings()
    settings.put("theme", "y")
    assert settings.get("theme", "x") == "y"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = AppSettings(tmp_path / "file" / "app.json")
    settings.put("theme", "y")
    assert settings.get("theme", "x") == "y"


def test_xdg_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    assert config_folder() == tmp_path / "c" / "gpt-tui"
    assert state_folder() == tmp_path / "s" / "gpt-tui"
    assert AppSettings.of_user().path == tmp_path / "c" / "gpt-tui" / "app.json"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config_folder() == tmp_path / ".config" / "gpt-tui"


@pytest.mark.parametrize(("given", "variable"), [(None, None), (None, "/x/y"), ("/a", "/x/y"), ("rel", None)])
def test_runs_folder_is_the_engines(given: str | None, variable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPT_TUI_RUNS", raising=False)
    if variable:
        monkeypatch.setenv("GPT_TUI_RUNS", variable)
    assert runs_folder(given) == core_runs_folder(given)


def test_default_config(tmp_path: Path) -> None:
    config, file = default_config(tmp_path)
    assert (config.recipe, file) == ("teacher", None)
    (tmp_path / "config.yaml").write_text("recipe: teacher\ntraining:\n  lr: 0.002\n", encoding="utf-8")
    config, file = default_config(tmp_path)
    assert (config.training.lr, file) == (0.002, tmp_path / "config.yaml")
