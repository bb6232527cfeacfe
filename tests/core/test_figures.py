"""Figures: never blank, never a box for a Chinese name, and a line where there is nothing to draw with."""

from __future__ import annotations

import builtins
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from core import figures
from core.errors import RunError, UserError
from core.events import Eval, Notice, Step
from core.figures import draw, draw_run
from core.runs import Run

needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is an extra")


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """A function that writes a run of 40 steps, its loss falling from ``first`` to ``last``."""

    def make(name: str = "a", first: float = 6.0, last: float = 0.01, evals: bool = True) -> Run:
        run = Run(tmp_path / name)
        run.path.mkdir()
        events = []
        for n in range(1, 41):
            loss = first * (last / first) ** (n / 40)
            events.append(Step(n, loss, 1e-3, 1.0, 100.0, float(n), None, n / 10, 700 * n).to_json())
            if evals and n % 10 == 0:
                events.append(Eval(n, 1.1 * loss, loss, n, True).to_json())
        run.metrics.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
        return run

    return make


def dark(path: Path) -> int:
    """Pixels of a PNG that are not white."""
    from matplotlib.image import imread

    return int((imread(path)[:, :, :3].min(axis=2) < 0.9).sum())


@needs_matplotlib
def test_a_run_leaves_two_files(make_run: Callable[..., Run]) -> None:
    run = make_run()
    assert list(draw_run(run)) == []
    svg, png = run.path / "figures" / "loss.svg", run.path / "figures" / "loss.png"
    assert sorted(path.name for path in svg.parent.iterdir()) == ["loss.png", "loss.svg"]
    root = ET.parse(svg).getroot()
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 30
    assert dark(png) > 5000


@needs_matplotlib
def test_the_same_run_gives_the_same_picture(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run()
    files = [tmp_path / name for name in ("1.svg", "2.svg")]
    for file in files:
        draw([run], [file])
    assert files[0].read_bytes() == files[1].read_bytes()


@needs_matplotlib
@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf", ".PNG"])
def test_several_runs_in_one_figure(make_run: Callable[..., Run], tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"both{suffix}"
    draw([make_run("a"), make_run("b", 9.0, 4.0, evals=False)], [file])
    assert file.stat().st_size > 5000


@needs_matplotlib
def test_one_logged_step_is_enough(tmp_path: Path) -> None:
    run = Run(tmp_path / "short")
    run.path.mkdir()
    run.metrics.write_text(json.dumps(Step(5, 2.0, 1e-3, 1.0, 9.0, 1.0, None).to_json()) + "\n", encoding="utf-8")
    draw([run], [tmp_path / "x.png"])
    assert dark(tmp_path / "x.png") > 3000


@needs_matplotlib
def test_a_chinese_name_is_drawn_or_left_out_but_is_no_box(
    make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [make_run("阅读-1"), make_run("模型")]
    draw(runs, [tmp_path / "found.png"])  # a glyph that is missing is a warning, and here an error
    monkeypatch.setattr(figures, "CHINESE", ())
    assert [figures._label(run.name, n, chinese=False) for n, run in enumerate(runs, 1)] == ["1", "run 2"]
    draw(runs, [tmp_path / "none.png"])


@needs_matplotlib
def test_a_loss_that_falls_far_gets_a_logarithmic_axis(make_run: Callable[..., Run], tmp_path: Path) -> None:
    seen: list[Any] = []
    from matplotlib.figure import Figure

    save = Figure.savefig
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda self, *a, **k: (seen.append(self), save(self, *a, **k))[1])
        draw([make_run("far", 6.0, 0.01)], [tmp_path / "far.svg"])
        draw([make_run("near", 6.0, 2.0)], [tmp_path / "near.svg"])
    assert [[axes.get_yscale() for axes in figure.axes[:2]] for figure in seen] == [["log"] * 2, ["linear"] * 2]
    labels = [text.get_text() for text in seen[0].axes[0].get_legend().get_texts()]
    assert labels == ["train", "validation"]
    assert seen[0].axes[0].get_xlabel() == "epochs"
    assert seen[0].axes[0].child_axes[0].get_xlabel() == "tokens"


def test_a_run_without_a_step_leaves_no_blank_file(tmp_path: Path) -> None:
    run = Run(tmp_path / "empty")
    run.path.mkdir()
    with pytest.raises(RunError, match="empty: no loss to draw yet"):
        draw([run], [tmp_path / "x.svg"])
    (notice,) = draw_run(run)
    assert isinstance(notice, Notice)
    assert notice.text == "no figures: empty: no loss to draw yet"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty"]


def test_a_name_that_is_no_picture(make_run: Callable[..., Run], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x.gif: a figure's name must end in .svg, .png, .pdf"):
        draw([make_run()], [tmp_path / "x.gif"])


def test_without_matplotlib_it_is_a_notice(make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    run = make_run()
    (notice,) = draw_run(run)
    assert isinstance(notice, Notice)
    assert "matplotlib is not installed" in notice.text
    assert not (run.path / "figures").exists()


@needs_matplotlib
def test_a_folder_that_cannot_be_written_to(make_run: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be written"):
        draw([make_run()], [tmp_path / "file" / "loss.svg"])
