"""The losses of runs as pictures, drawn from their ``metrics.jsonl`` after the end.

matplotlib is an extra (``plots``) and imported only here, when something is drawn. Its figures are used as plain
objects, without pyplot: no window system is looked for, and any thread may draw.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from .curves import Curve, read_curve
from .errors import RunError, UserError
from .events import Event, Notice
from .runs import Run
from .storage import atomic_file, make_private_folder

SUFFIXES = (".svg", ".png", ".pdf")
#: A linear axis shows nothing of a loss that falls from 7 to 0.01.
LOG_ABOVE = 20.0
#: Families with Chinese characters, of Linux, macOS and Windows; the first that is there is used.
CHINESE = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "PingFang SC", "Hiragino Sans GB", "Heiti SC", "Microsoft YaHei", "SimHei", "Arial Unicode MS",
    "Noto Serif CJK SC", "AR PL UMing CN", "Droid Sans Fallback",
)  # fmt: skip


def draw_run(run: Run) -> Iterator[Event]:
    """Leave ``figures/loss.svg`` and ``loss.png`` in a run; a notice where that cannot be done."""
    try:
        draw([run], [run.path / "figures" / f"loss{suffix}" for suffix in (".svg", ".png")])
    except UserError as problem:
        yield Notice("no figures: {problem}", {"problem": str(problem)})


def draw(runs: Sequence[Run], files: Sequence[Path]) -> None:
    """Draw the losses of one or several runs into files, their kinds told by their suffixes.

    Left: training and validation loss against epochs, tokens on the top axis. Right: every logged loss against
    steps. Raises ``UserError`` where matplotlib is absent or a run holds nothing to draw; no file is blank.
    """
    for file in files:
        if file.suffix.lower() not in SUFFIXES:
            raise UserError("{path}: a figure's name must end in {suffixes}", path=str(file),
                            suffixes=", ".join(SUFFIXES))  # fmt: skip
    curves = [read_curve(run) for run in runs]
    for curve in curves:
        if not curve.drawable:
            raise RunError("{run}: no loss to draw yet", run=curve.name)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of its font cache on stderr
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import EngFormatter
    except ImportError:
        raise UserError("matplotlib is not installed; to have it: pip install matplotlib") from None
    family = _families()
    with matplotlib.rc_context({"font.family": family, "svg.hashsalt": "gpt-tui", "svg.fonttype": "path"}):
        figure = Figure(figsize=(11, 4.5), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        labels = [_label(curve.name, number, len(family) > 1) for number, curve in enumerate(curves, 1)]
        for number, (curve, label) in enumerate(zip(curves, labels, strict=True)):
            _losses(left, curve, label if len(curves) > 1 else "", f"C{number}", alone=len(curves) == 1)
            _logged(right, curve, label if len(curves) > 1 else "logged", f"C{number}")
        top = _finish(left, right, curves)
        top.xaxis.set_major_formatter(EngFormatter(sep=""))
        if len(curves) == 1:
            figure.suptitle(labels[0])
        _save(figure, files)


def _losses(axes: Any, curve: Curve, label: str, color: str, alone: bool) -> None:
    """Training loss, the mean between evaluations, and validation loss."""
    train_epochs, train_losses = curve.train_means()
    name = f"{label} " if label else ""
    axes.plot(train_epochs, train_losses, "-", color=color, marker="." if len(train_epochs) < 30 else None,
              label=f"{name}train")  # fmt: skip
    if curve.evals:
        other = "C1" if alone else color
        axes.plot([curve.epoch_at(step) for step, _ in curve.evals], [loss for _, loss in curve.evals], "--",
                  color=other, marker="o", markersize=3, label=f"{name}validation")  # fmt: skip


def _logged(axes: Any, curve: Curve, label: str, color: str) -> None:
    """Every logged loss, faint, and its running mean."""
    steps, losses = curve.thinned()
    axes.plot(steps, losses, "-", color=color, alpha=0.35, linewidth=0.8)
    axes.plot(steps, curve.smooth(losses), "-", color=color, label=label)


def _finish(left: Any, right: Any, curves: Sequence[Curve]) -> Any:
    """Scales, names and grids; returns the axis of tokens."""
    lowest = min(curve.lowest for curve in curves)
    highest = max(curve.highest for curve in curves)
    for axes in (left, right):
        if lowest > 0 and highest / lowest > LOG_ABOVE:
            axes.set_yscale("log")
        axes.set_ylabel("loss (nats per token)")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    left.set_xlabel("epochs")
    right.set_xlabel("steps")
    right.set_title("logged loss", fontsize="medium")
    # Tokens per epoch are all but constant; of several runs the axis shows those of the first.
    per_epoch = curves[0].tokens_per_epoch
    top = left.secondary_xaxis("top", functions=(lambda x: x * per_epoch, lambda x: x / per_epoch))
    top.set_xlabel("tokens" if len(curves) == 1 else f"tokens ({_ascii(curves[0].name) or 'first run'})")
    return top


def _save(figure: Any, files: Sequence[Path]) -> None:
    for file in files:
        kind = file.suffix.lower().removeprefix(".")
        drawn = BytesIO()
        # Without dates: the same run gives the same bytes.
        dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
        figure.savefig(drawn, format=kind, dpi=120, metadata=dates)
        try:
            make_private_folder(file.parent)
            with atomic_file(file) as out:
                out.write(drawn.getvalue())
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise UserError("{path}: cannot be written: {reason}", path=str(file), reason=reason) from None


def _families() -> list[str]:
    """The default family, before it one with Chinese characters if there is any: unknown ones become boxes."""
    from matplotlib import font_manager

    there = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *[name for name in CHINESE if name in there][:1]]


def _label(name: str, number: int, chinese: bool) -> str:
    """A run's name, or what of it can be shown without boxes."""
    if name.isascii() or chinese:
        return name
    return _ascii(name) or f"run {number}"


def _ascii(name: str) -> str:
    return name.encode("ascii", "ignore").decode().strip("-_. ")
