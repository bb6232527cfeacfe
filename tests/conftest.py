"""How thoroughly hypothesis looks: the same 100 examples every time, or 10,000 new ones with
HYPOTHESIS_PROFILE=slow."""

from __future__ import annotations

import gc
import os
import signal

from hypothesis import HealthCheck, settings

# A file in a shared tmp_path is written anew by each example, and machines that run tests are busy ones.
_calm = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
settings.register_profile("default", max_examples=100, derandomize=True, deadline=None, suppress_health_check=_calm)
settings.register_profile("slow", max_examples=10_000, deadline=None, suppress_health_check=_calm)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A suite started in the background, or under nohup, inherits ignored signals and hands them on to what it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_finish() -> None:
    """What torch has made by now stays: a training collects garbage some eight times, 0.1 s each over all of it."""
    gc.collect()
    gc.freeze()
