"""Training in one call, for programs and notebooks: ``run = fit(config)``."""

from __future__ import annotations

from collections.abc import Callable

from .callable_module import make_callable
from .config import Config
from .control import Control
from .events import Event
from .runs import Run, find_run, new_run, runs_folder
from .train import train


def fit(
    config: Config | None = None,
    on_event: Callable[[Event], object] | None = None,
    *,
    run: str | None = None,
    runs_dir: str | None = None,
    control: Control | None = None,
    resume: bool = False,
) -> Run:
    """Train to the end and return the run, whose ``load()`` gives the model.

    ``on_event`` sees everything that happens, as it happens; what it raises ends the training. ``run`` names the
    run (default: recipe and time), ``runs_dir`` the folder of runs. Whoever holds ``control`` may stop it from
    another thread. With ``resume`` the run of that name goes on. Raises ``UserError`` subclasses, as ``train`` does.
    """
    folder = runs_folder(runs_dir)
    if resume:
        target = find_run(folder, run)
    else:
        config = config or Config()
        target = new_run(folder, run, config.recipe)
    for event in train(config, target, control, resume=resume):
        if on_event is not None:
            on_event(event)
    return target


make_callable(__name__)
