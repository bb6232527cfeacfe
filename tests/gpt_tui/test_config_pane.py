"""The Config tab in the app: by keyboard alone, at 80×24, with a training running and without."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from core.config import load_config
from core.settings import settings
from gpt_tui import i18n
from gpt_tui.app import GptApp
from gpt_tui.config_text import same_settings
from gpt_tui.desk import Desk
from gpt_tui.estimates import Facts, estimate
from gpt_tui.panes.config import ACTIONS, ConfigPane
from gpt_tui.widgets.form import sections
from gpt_tui.widgets.form_controls import SwitchBox, TextBox
from gpt_tui.widgets.form_dialogs import SaveRecipe, TakeRecipe
from gpt_tui.widgets.form_list import ListField
from gpt_tui.widgets.form_row import FieldRow
from gpt_tui.zh import TEXTS

from .app_desk import Scene, begin, make_desk, play, screen_text, until
from .fake_engine import FakeEngine
from .idle import quiet

TEACHER = load_config("teacher")
LR = TEACHER.training.lr
MINE = f"# mine\nrecipe: teacher  # from here\ntraining:\n  lr: {LR}   # high\n"


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "_language", "en")


def desk_of(folder: Path, **changes: Any) -> Desk:
    desk = make_desk(folder / "runs", changes.pop("engine", None))
    desk.config_file = folder / "config.yaml"
    desk.config = desk.config.update({key.replace("__", "."): value for key, value in changes.items()})
    return desk


async def config_tab(app: GptApp, pilot: Pilot[Any]) -> ConfigPane:
    pane = app.main.panes["config"]
    assert isinstance(pane, ConfigPane)
    await until(pilot, lambda: bool(pane.query(FieldRow)))
    await pilot.press("down")  # into the first field: the tab itself has the focus at first
    await until(pilot, lambda: isinstance(app.focused, (TextBox, SwitchBox)) or pane.state.running is not None)
    await pilot.pause()
    return pane


def parameters(**model: int) -> str:
    config = TEACHER.update({f"model.{key}": value for key, value in model.items()})
    return f"{estimate(config, Facts()).parameters:,} parameters"


async def field(pane: ConfigPane, pilot: Pilot[Any], key: str) -> FieldRow:
    """Put the focus on a field."""
    row = await pane.form.row(key)
    pane.form.go_to(row)
    await pilot.pause()
    return row


async def type_in(app: GptApp, pilot: Pilot[Any], text: str) -> None:
    """As an input method does it; the pilot knows no key for 。"""
    assert isinstance(app.focused, TextBox)
    app.focused.insert_text_at_cursor(text)
    await pilot.pause()


def told(app: GptApp) -> str:
    """What the app has notified the user of (toasts are not drawn in tests)."""
    return "\n".join(notice.message for notice in app._notifications)


def under(row: FieldRow) -> str:
    return str(row.query_one(".form-under", Static).content)


def in_tab(
    folder: Path, scene: Any, desk: Desk | None = None, size: tuple[int, int] = (80, 24),
    tabs: Sequence[str] = ("config",),
) -> Desk:  # fmt: skip
    """Play ``scene(app, pilot, pane)`` with the Config tab open."""
    desk = desk or desk_of(folder)

    async def whole(app: GptApp, pilot: Pilot[Any]) -> None:
        await scene(app, pilot, await config_tab(app, pilot))

    checked: Scene = whole
    play(desk, checked, size, tabs)
    return desk


@pytest.mark.slow
def test_every_field_can_be_reached_and_is_seen(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        seen: list[str] = []
        while not seen or pane.form.current.key != seen[-1]:  # type: ignore[union-attr]
            row = pane.form.current
            assert row is not None
            seen.append(row.key)
            if len(seen) % 6 == 1 or row.setting.kind == "list":
                await pilot.pause()
                name = row.key.rpartition(".")[2]
                assert any(line.lstrip("* ").startswith(name) for line in screen_text(app).split("\n")), name
            await pane.action_field(1)
            await quiet()
        assert seen == [key for key in settings() if key not in ("recipe", "description")]

    in_tab(tmp_path, scene)


@pytest.mark.parametrize("size", [(80, 24), pytest.param((120, 40), marks=pytest.mark.slow)])
def test_going_about_with_the_keyboard(size: tuple[int, int], tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        for keys, key in (
            ("up", "model.n_layer"),
            ("down", "model.n_head"),
            ("pagedown pagedown", "model.position"),
            ("pagedown", "model.init"),
            ("down", "tokenizer.kind"),
            ("up", "model.init"),
            ("ctrl+down ctrl+down", "data.train"),
            ("pagedown pagedown pagedown pagedown", "data.verify_rows"),
            ("up enter", "data.probes"),  # Enter goes to the answer
            ("ctrl+down ctrl+down ctrl+down", "sampling.temperature"),
            ("ctrl+up ctrl+up", "training.batch_size"),
            ("tab", "training.micro_batch"),
        ):
            await pilot.press(*keys.split())
            await until(pilot, lambda key=key: pane.form.current is not None and pane.form.current.key == key)  # type: ignore[misc]

    in_tab(tmp_path, scene, size=size)


def test_typing_moves_the_figures_and_the_command_and_the_desk(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        text = screen_text(app)
        assert parameters() in text
        assert "$ gpt-tui --no-ui train --recipe teacher" in text
        assert "as the recipe" in text
        await pilot.press("8")
        await pilot.pause()
        text = screen_text(app)
        assert parameters(n_layer=8) in text
        assert "--set model.n_layer=8" in text
        assert "1 changed" in text
        assert "* n_layer" in text
        assert "recipe: 4" in text
        assert "Model*" in text
        assert app.desk.config.model.n_layer == 8
        await pilot.press("backspace")  # nothing there: as it was
        await pilot.pause()
        assert app.desk.config.model.n_layer == 4
        assert parameters() in screen_text(app)

    in_tab(tmp_path, scene)


def test_bounds_are_told_under_the_field_when_it_is_left(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        row = await field(pane, pilot, "model.n_layer")
        await pilot.press("9", "9")
        await pilot.pause()
        assert under(row) == "Transformer blocks, one after the other."
        await pilot.press("down")
        await until(pilot, lambda: under(row) == "✗ allowed: a whole number from 1 to 96")
        assert "Model✗" in screen_text(app)
        assert app.desk.config.model.n_layer == 4
        await pilot.press("up", "2")
        await pilot.pause()
        assert under(row) == "Transformer blocks, one after the other."
        assert app.desk.config.model.n_layer == 2
        await pilot.press("x", "escape")
        await pilot.pause()
        assert (app.desk.config.model.n_layer, row.control.value) == (4, "4")  # type: ignore[attr-defined]

    in_tab(tmp_path, scene)


def test_what_fits_only_together(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        row = await field(pane, pilot, "model.n_embd")
        await pilot.press("2", "5", "0", "enter")
        await until(pilot, lambda: under(row).startswith("✗"))
        assert under(row) == "✗ n_embd (250) must be a multiple of n_head (4)"
        await field(pane, pilot, "model.n_head")
        await pilot.press("5", "enter")
        await until(pilot, lambda: not under(row).startswith("✗"))
        assert (app.desk.config.model.n_embd, app.desk.config.model.n_head) == (250, 5)

    in_tab(tmp_path, scene)


@pytest.mark.slow
def test_values_are_written_as_always_when_the_field_is_left(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        row = await field(pane, pilot, "training.lr")
        await pilot.press(*"5e-4", "enter")
        await until(pilot, lambda: row.control.value == "0.0005")  # type: ignore[attr-defined]
        assert pane.form.current is not row
        row = await field(pane, pilot, "training.max_minutes")
        await pilot.press(*"2", "enter")
        await pilot.pause()
        assert app.desk.config.training.max_minutes == 2.0
        await field(pane, pilot, "training.max_minutes")
        await pilot.press("backspace", "enter")
        await pilot.pause()
        assert app.desk.config.training.max_minutes is None

    in_tab(tmp_path, scene)


def test_choices_and_switches(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        await field(pane, pilot, "model.norm")
        await pilot.press("enter", "down", "down", "enter")
        await pilot.pause()
        assert app.desk.config.model.norm == "scalenorm"
        await pilot.press("left")
        await pilot.pause()
        assert app.desk.config.model.norm == "layernorm"
        await pilot.press("down")  # goes on to the next field, does not open the list
        assert pane.form.current.key == "model.norm_eps"  # type: ignore[union-attr]
        await field(pane, pilot, "model.bias")
        await pilot.press("space")
        await pilot.pause()
        assert app.desk.config.model.bias is False
        assert "[ ] off" in screen_text(app)
        await field(pane, pilot, "model.qkv_bias")
        await pilot.press("right")
        await pilot.pause()
        assert app.desk.config.model.qkv_bias is True
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert app.desk.config.model.qkv_bias is None

    in_tab(tmp_path, scene)


def test_stop_strings_can_be_added_changed_and_removed(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        row = await field(pane, pilot, "sampling.stop")
        boxes = row.query_one(ListField).query(TextBox)
        assert [box.value for box in boxes] == ["\\n", "用户:"]
        await pilot.press("enter", "enter")
        await until(pilot, lambda: len(row.query(TextBox)) == 3)
        await type_in(app, pilot, "。")
        await until(pilot, lambda: app.desk.config.sampling.stop == ["\n", "用户:", "。"])
        await pilot.press("enter")
        await until(pilot, lambda: len(row.query(TextBox)) == 4)
        await type_in(app, pilot, "；")
        await pilot.press("enter")  # the last line stays empty and goes
        await pilot.press("down")
        await until(pilot, lambda: len(row.query(TextBox)) == 4)
        assert app.desk.config.sampling.stop == ["\n", "用户:", "。", "；"]
        assert "recipe: 2 entries" in screen_text(app)
        pane.form.go_to(row)
        await pilot.press("tab", "enter")  # the × behind the first
        await until(pilot, lambda: len(row.query(TextBox)) == 3)
        assert app.desk.config.sampling.stop == ["用户:", "。", "；"]
        pane.form.go_to(row)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: app.desk.config.sampling.stop == ["\n", "用户:"])
        await until(pilot, lambda: [box.value for box in row.query(TextBox)] == ["\\n", "用户:"])

    in_tab(tmp_path, scene)


@pytest.mark.slow
def test_probes_are_questions_with_answers(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        row = await field(pane, pilot, "data.probes")
        boxes = list(row.query(TextBox))
        assert len(boxes) == 4
        boxes[3].focus()
        await pilot.press("enter")
        await until(pilot, lambda: len(row.query(TextBox)) == 6)
        await type_in(app, pilot, "谁？")
        await pilot.press("enter")
        await type_in(app, pilot, "我")
        await until(pilot, lambda: len(app.desk.config.data.probes) == 3 and app.desk.config.data.probes[2].expected)
        assert app.desk.config.data.probes[2].model_dump() == {"prompt": "谁？", "expected": "我"}
        await pilot.press("backspace")
        await pilot.pause()
        assert app.desk.config.data.probes[2].expected is None

    in_tab(tmp_path, scene)


def test_finding_and_only_what_changed(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        def shown() -> list[str]:
            return [row.key for row in pane.form.open_rows()]

        await pilot.press("ctrl+f", *"loss")
        await until(
            pilot,
            lambda: shown() == ["training.prompt_loss", "training.early_stopping_patience", "training.stop_loss",
                                "training.figures"],
        )  # fmt: skip
        await pilot.press("down")
        assert pane.form.current.key == "training.prompt_loss"  # type: ignore[union-attr]
        await pilot.press("ctrl+f", "x", "y")
        await until(pilot, lambda: shown() == [])
        assert "no setting is like that" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: shown()[0] == "model.n_layer")
        await pilot.press("8", "ctrl+g")
        await until(pilot, lambda: shown() == ["model.n_layer", "sampling.temperature"])
        await pilot.press("ctrl+g")
        await until(pilot, lambda: len(shown()) > 2)

    in_tab(tmp_path, scene, desk_of(tmp_path, sampling__temperature=0.5))


@pytest.mark.slow
def test_the_groups_by_mouse(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        for name in sections()[1::2]:
            line = screen_text(app).split("\n")[2]
            await pilot.click("#config-groups", offset=(line.lower().index(name), 0))
            await until(pilot, lambda name=name: pane.form.section == name)  # type: ignore[misc]
        row = await field(pane, pilot, "training.lr")
        await pilot.press(*"0.5")
        await pilot.pause()
        await pilot.click(row, offset=(55, 0))  # on the recipe's value
        await until(pilot, lambda: app.desk.config.training.lr == LR)

    in_tab(tmp_path, scene)


def test_resetting_all_and_taking_that_back(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        changed = app.desk.config
        await pilot.press("ctrl+t")
        await pilot.pause()
        assert app.desk.config == app.desk.base
        assert pane.form.current.control.value == "4"  # type: ignore[union-attr, attr-defined]
        await pilot.press("ctrl+t")
        await pilot.pause()
        assert app.desk.config == changed
        assert pane.form.current.control.value == "2"  # type: ignore[union-attr, attr-defined]

    in_tab(tmp_path, scene, desk_of(tmp_path, model__n_layer=2, training__lr=0.5))


def test_saving_keeps_what_was_changed_in_the_file_meanwhile(tmp_path: Path) -> None:
    """By an editor, or by another app in the same folder. What was changed in both places is as the form has it."""
    file = tmp_path / "config.yaml"
    file.write_text("recipe: teacher\n", encoding="utf-8")
    desk = desk_of(tmp_path)
    desk.loaded = desk.config

    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        text = "recipe: teacher\nmodel:\n  n_layer: 3  # mine\ntraining:\n  seed: 7\n"
        file.write_text(text, encoding="utf-8")
        await pilot.press("8", "ctrl+s")
        await until(pilot, lambda: "changed there meanwhile, and kept: seed" in told(app))
        assert file.read_text() == text.replace("3  #", "8  #")
        assert (desk.config.model.n_layer, desk.config.training.seed) == (8, 7)
        assert pane.state.draft.config.training.seed == 7

    in_tab(tmp_path, scene, desk)


def test_saving_what_a_recipe_says_already_makes_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"

    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "saved in" in told(app))
        assert file.is_file()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "says this already" in told(app))

    in_tab(tmp_path, scene)


def test_saving_keeps_comments_and_order(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(MINE)

    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        await pilot.press("8", "ctrl+s")
        await until(pilot, lambda: "saved in" in told(app))
        assert (
            file.read_text()
            == f"# mine\nrecipe: teacher  # from here\nmodel:\n  n_layer: 8\ntraining:\n  lr: {LR}   # high\n"
        )
        await pilot.press("9", "9", "9", "ctrl+s")  # wrong: saved as it was
        await until(pilot, lambda: "n_layer: 4" in file.read_text())
        await until(pilot, lambda: "not saved, because" in told(app))
        app.clear_notifications()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "not saved, because" in told(app))
        assert "says this already" not in told(app), "it does not say what stands in the form"
        file.write_text("a: [")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "not valid YAML" in told(app))

    desk = in_tab(tmp_path, scene)
    assert desk.config_file == file


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "recipes" / "deep.yaml"

    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        await pilot.press("8", "ctrl+n")
        await pilot.pause()
        assert isinstance(app.screen, SaveRecipe)
        await pilot.press("ctrl+u", "!", "!")
        await pilot.pause()
        assert "not a name" in screen_text(app)
        await pilot.press("ctrl+u", *"deep", "enter")
        assert "deep.yaml" in screen_text(app)
        await pilot.press("ctrl+u", *"for me", "enter", "enter")
        await until(pilot, path.is_file)
        await until(pilot, lambda: not isinstance(app.screen, SaveRecipe))
        config = load_config(str(path))
        assert (config.recipe, config.description, config.model.n_layer) == ("deep", "for me", 8)
        assert same_settings(app.desk.base, config)
        await until(pilot, lambda: "as the recipe" in screen_text(app))
        runs = tmp_path / "runs"  # not those of the folder that this was started in
        assert pane.state.command() == f"gpt-tui --no-ui train --recipe {path} --runs-dir {runs}"
        assert pane.tools.picker.value == str(path)
        # back to the recipe that comes with the program
        await pilot.press("ctrl+o", *"teacher", "enter")
        await until(pilot, lambda: app.desk.config.model.n_layer == 4)

    in_tab(tmp_path, scene)


@pytest.mark.parametrize(
    ("key", "lr", "layers"),
    [
        ("k", 0.5, 8),
        pytest.param("d", 0.001, 8, marks=pytest.mark.slow),
        pytest.param("escape", 0.5, 4, marks=pytest.mark.slow),
    ],
)
def test_another_recipe_asks_about_changes(key: str, lr: float, layers: int, tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "zz.yaml").write_text("model: {n_layer: 8}\ntraining: {max_steps: 9}\n")

    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        await pilot.press("ctrl+o", "end", "enter")
        await until(pilot, lambda: isinstance(app.screen, TakeRecipe))
        assert "You have changed: lr" in screen_text(app)
        await pilot.press(key)
        await until(pilot, lambda: not isinstance(app.screen, TakeRecipe))
        await pilot.pause()
        assert (app.desk.config.training.lr, app.desk.config.model.n_layer) == (lr, layers)
        assert (pane.tools.picker.value == "teacher") == (layers == 4)

    in_tab(tmp_path, scene, desk_of(tmp_path, training__lr=0.5))


@pytest.mark.slow
def test_a_recipe_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "zz[bold].yaml").write_text("recipe: zz\nmodel: {n_layer: 800}\n")

    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        await pilot.press("ctrl+o", "end", "enter")
        await until(pilot, lambda: "found 800" in told(app))
        assert app.desk.config == app.desk.base
        assert pane.tools.picker.value == "teacher"

    in_tab(tmp_path, scene)


@pytest.mark.slow
def test_copying_the_command_and_starting(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        await pilot.press("8", "ctrl+y")
        runs = tmp_path / "runs"
        assert app.clipboard == f"gpt-tui --no-ui train --recipe teacher --set model.n_layer=8 --runs-dir {runs}"
        await pilot.press("9", "9", "9", "f5")
        await until(pilot, lambda: "not started: something is wrong with n_layer" in told(app))
        await until(pilot, lambda: "✗ allowed: " in screen_text(app))
        assert not app.desk.session.active

    in_tab(tmp_path, scene)


def test_while_a_training_runs(tmp_path: Path) -> None:
    engine = FakeEngine(steps=10**6, seconds_per_step=0.01)
    desk = desk_of(tmp_path, engine=engine)

    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        row = await field(pane, pilot, "model.n_layer")
        begin(desk, "evil\x1b[31m")
        await until(pilot, lambda: pane.state.running is not None and row.disabled)
        await until(pilot, lambda: "is being trained" in screen_text(app))
        text = screen_text(app)
        assert "fixed during the run" in text
        assert "\x1b" not in text
        assert pane.check_action("start", ()) is None
        assert pane.check_action("choose_recipe", ()) is None
        assert app.focused is pane  # nothing in this group is open
        await pilot.press("down")
        assert pane.form.current.key == "training.lr"  # type: ignore[union-attr]
        await pilot.press(*"0.0005")
        await pilot.pause()
        assert engine.changed == []
        await pilot.press("enter")
        await until(pilot, lambda: engine.changed == [{"training.lr": 0.0005}])
        await until(pilot, lambda: "changed at step" in screen_text(app))
        assert pane.form.current.key == "training.min_lr"  # type: ignore[union-attr]
        await pilot.press(*"0.7", "down")  # above lr: not sent
        await until(pilot, lambda: "must not be above lr" in screen_text(app))
        assert engine.changed == [{"training.lr": 0.0005}]
        desk.session.stop()
        await until(pilot, lambda: not row.disabled)
        assert "is being trained" not in screen_text(app)
        assert desk.config.training.lr == 0.0005

    in_tab(tmp_path, scene, desk)


@pytest.mark.slow
def test_a_run_that_goes_on_shows_its_own_settings(tmp_path: Path) -> None:
    desk = desk_of(tmp_path)
    run = desk.runs_dir / "before"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("recipe: teacher\nmodel: {n_layer: 7}\n")

    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        row = await field(pane, pilot, "model.n_layer")
        begin(desk, "before")
        await until(pilot, lambda: row.control.value == "7")  # type: ignore[attr-defined]
        assert desk.config.model.n_layer == 4
        desk.session.stop()
        await until(pilot, lambda: row.control.value == "4")  # type: ignore[attr-defined]

    in_tab(tmp_path, scene, desk)


def test_nothing_in_the_settings_can_break_the_screen(tmp_path: Path) -> None:
    bad = "\x1b]52;c;x\x07\u202e[/bold]"
    desk = desk_of(tmp_path, data__train=bad, sampling__stop=[bad], data__probes=[{"prompt": bad, "expected": bad}])
    desk.base = desk.config.update({"data.train": bad + "!", "description": bad})

    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        for key in ("data.train", "data.probes", "sampling.stop"):
            row = await field(pane, pilot, key)
            await pilot.press("right", "left")
            text = screen_text(app)
            assert not set(text) & {"\x1b", "\x07", "\u202e"}
            assert "\\x1b]52" in text
            app.screen.set_focus(None)
            pane.form.go_to(row)
        assert (desk.config.data.train, desk.config.sampling.stop) == (bad, [bad])
        assert desk.config.data.probes[0].expected == bad
        await field(pane, pilot, "data.train")
        app.focused.insert_text_at_cursor("\x1b[2J")  # type: ignore[union-attr]
        await pilot.pause()
        assert "\x1b" not in screen_text(app)

    in_tab(tmp_path, scene, desk)


def test_other_settings_on_the_desk_are_shown(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        row = await field(pane, pilot, "model.n_layer")
        app.desk.config = app.desk.config.update({"model.n_layer": 11})
        await until(pilot, lambda: "11" in screen_text(app) and under(row) != "")
        await until(pilot, lambda: "--set model.n_layer=11" in screen_text(app))

    in_tab(tmp_path, scene)


@pytest.mark.slow
def test_coming_back_numbers_open_tabs(tmp_path: Path) -> None:
    """The pane has the focus, not the field one was in: the number of another tab is not typed into it."""

    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        await field(pane, pilot, "training.seed")
        await pilot.press("alt+1")
        await until(pilot, lambda: app.main.current == "train")
        await pilot.press("alt+2")
        await until(pilot, lambda: app.main.current == "config" and pane.has_focus)
        await pilot.press("1")
        await until(pilot, lambda: app.main.current == "train")

    in_tab(tmp_path, scene, tabs=("config", "train"))


@pytest.mark.slow
def test_in_chinese_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        await pilot.press("9", "9", "9", "down")
        await pilot.pause()
        monkeypatch.setattr(i18n, "_language", "zh")
        await pane.retranslate()
        await until(pilot, lambda: "可填：1 到 96 的整数" in screen_text(app))
        text = screen_text(app)
        assert "个参数" in text
        assert "Transformer 层数" not in text  # its place is taken by what is wrong
        assert "999" in text
        monkeypatch.setattr(i18n, "_language", "en")
        await pane.retranslate()
        await until(pilot, lambda: "✗ allowed: a whole number" in screen_text(app))

    in_tab(tmp_path, scene)


@pytest.mark.slow
def test_the_wide_window_shows_figures_beside_the_form(tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        text = screen_text(app)
        for words in ("attention", "1,052,672", "gradients", "activations", "the same without the app:"):
            assert words in text
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "gradients" not in screen_text(app))
        assert parameters() in screen_text(app)

    in_tab(tmp_path, scene, size=(120, 40))


def test_actions_have_methods_and_chinese() -> None:
    for action in ACTIONS:
        assert callable(getattr(ConfigPane, f"action_{action.id}"))
        assert action.label in TEXTS
        assert action.help in TEXTS


@pytest.mark.parametrize(("width", "hint"), [(80, "Sampling    ↑ ↓ · Esc"), (120, "↑ ↓ fields · Esc out")])
def test_the_hint_beside_the_groups_is_never_cut(width: int, hint: str, tmp_path: Path) -> None:
    async def scene(app: GptApp, pilot: Pilot[Any], pane: ConfigPane) -> None:
        assert any(line.rstrip().endswith(hint) for line in screen_text(app).split("\n"))

    in_tab(tmp_path, scene, size=(width, 24))
