"""``gpt-tui plot``: one run or several, where it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is an extra")


@needs_matplotlib
def test_one_run_into_its_folder(gpt_tui: Cli, copied: Path) -> None:
    for old in (copied / "figures").glob("*"):
        old.unlink()
    done = gpt_tui("plot", "tiny")
    files = [copied / "figures" / name for name in ("loss.svg", "loss.png")]
    assert (done.code, done.out.splitlines()) == (0, [f"written: {file}" for file in files])
    assert all(file.stat().st_size > 5000 for file in files)


@needs_matplotlib
def test_several_runs_in_one_figure(gpt_tui: Cli, copied: Path) -> None:
    copied.rename(copied.with_name("first"))
    assert gpt_tui(
        "plot", "first", "first"
    ).out == f"written: {copied.with_name('first') / 'figures' / 'loss.svg'}\n" + (
        f"written: {copied.with_name('first') / 'figures' / 'loss.png'}\n"
    )
    import shutil

    shutil.copytree(copied.with_name("first"), copied.with_name("second"))
    assert gpt_tui("plot", "first", "second").out == "written: loss.svg\n"
    assert gpt_tui("plot", "first", "second", "--out", "both.png").out == "written: both.png\n"
    assert Path("both.png").read_bytes()[:4] == b"\x89PNG"


def test_errors_are_one_line(gpt_tui: Cli, trained: Path) -> None:
    assert gpt_tui("plot", "tiny", "--out", "x.txt").err == (
        "gpt-tui: x.txt: a figure's name must end in .svg, .png, .pdf\n"
    )  # fmt: skip
    assert gpt_tui("plot", "none").err.startswith("gpt-tui: no run 'none'")
    assert gpt_tui("plot").code == 2


@needs_matplotlib
def test_a_run_without_steps_leaves_no_file(gpt_tui: Cli, copied: Path) -> None:
    (copied / "metrics.jsonl").write_text("", encoding="utf-8")
    done = gpt_tui("plot", "tiny", "--out", "x.svg")
    assert (done.code, done.err) == (1, "gpt-tui: tiny: no loss to draw yet\n")
    assert not Path("x.svg").exists()
