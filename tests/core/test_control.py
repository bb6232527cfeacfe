"""The flags through which a person steers a running training."""

from __future__ import annotations

import threading
import time

from core.control import Control


def test_at_first_nothing_is_asked_for() -> None:
    control = Control()
    assert (control.stop, control.discard, control.save_now, control.paused) == ("", False, False, False)
    assert control.take_updates() == {}
    assert control.wait_while_paused(0.0)


def test_pause_and_resume() -> None:
    control = Control()
    control.pause()
    assert control.paused
    begin = time.perf_counter()
    assert not control.wait_while_paused(0.02)
    assert time.perf_counter() - begin >= 0.015
    control.resume()
    assert not control.paused
    assert control.wait_while_paused(10.0)


def test_a_paused_training_wakes_up_to_go_on_or_to_stop() -> None:
    for wake in (Control.resume, Control.request_stop):
        control = Control()
        control.pause()
        timer = threading.Timer(0.02, wake, (control,))
        timer.start()
        assert control.wait_while_paused(600.0)
        timer.join()


def test_a_stop_has_a_reason_and_may_discard() -> None:
    control = Control()
    control.request_stop("SIGTERM")
    assert (control.stop, control.discard) == ("SIGTERM", False)
    control.request_stop(discard=True)
    assert (control.stop, control.discard) == ("user", True)
    control.request_stop()
    assert not control.discard


def test_updates_are_taken_once_in_their_order() -> None:
    control = Control()
    control.update("training.lr", 1e-3)
    control.update("training.max_steps", 10)
    control.update("training.lr", 1e-4)
    taken = control.take_updates()
    assert list(taken.items()) == [("training.lr", 1e-4), ("training.max_steps", 10)]
    assert control.take_updates() == {}


def test_no_update_is_lost_between_threads() -> None:
    control = Control()
    found: dict[str, int] = {}

    def change(name: str) -> None:
        for i in range(500):
            control.update(f"{name}.{i}", i)

    threads = [threading.Thread(target=change, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found.update(control.take_updates())
    found.update(control.take_updates())
    assert len(found) == 1500
