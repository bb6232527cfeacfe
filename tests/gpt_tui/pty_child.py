"""The app in a terminal of its own, with a fake engine: what ``test_terminal`` starts. Not a test itself.

Usage: pty_child.py FOLDER [steps=N] [speed=SECONDS] [noise] [idle] [broken] [nohup]
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fake_engine import FakeEngine, FakeRun

import gpt_tui.app
import gpt_tui.screen
from core.config import load_config
from gpt_tui.desk import Desk
from gpt_tui.session import Session
from gpt_tui.settings import AppSettings, state_folder
from gpt_tui.stderr import StderrSink


def main() -> int:
    folder, options = Path(sys.argv[1]), dict(word.partition("=")[::2] for word in sys.argv[2:])
    problem = gpt_tui.screen.why_not()
    if problem:
        print(problem, file=sys.stderr)
        return 2
    config = load_config("teacher")
    sink = StderrSink(state_folder() / "app.log")
    engine = FakeEngine(steps=int(options.get("steps", "100000")), seconds_per_step=float(options.get("speed", "0.02")))

    def noisy(*args: object, **more: object):  # type: ignore[no-untyped-def]
        for number, event in enumerate(engine(*args, **more)):  # type: ignore[arg-type]
            if "noise" in options and number > 3:
                os.write(2, b"noise of a C library\n")
            yield event

    session = Session(noisy, sink=sink)
    desk = Desk(config, config, folder, session=session, settings=AppSettings.of_user())
    gpt_tui.screen._import_torch = lambda: None
    if "broken" in options:

        def fail() -> None:
            raise RuntimeError("screen broken on purpose")

        gpt_tui.screen._begin = lambda app, opening: app.set_timer(0.5, fail)
    if "nohup" in options:  # a terminal that goes away without telling this process
        gpt_tui.app.Signals.install = lambda self: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # type: ignore[assignment]
    sink.open()
    if "idle" not in options:
        session.start(config, FakeRun(folder / "pty-run"))
    started = time.time()
    code = gpt_tui.screen.run_app(desk, sink, gpt_tui.screen.Opening())
    print(f"left after {time.time() - started:.1f} s with {code}")
    return code


if __name__ == "__main__":
    sys.exit(main())
