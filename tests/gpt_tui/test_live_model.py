"""Asking the model that is being trained, with the real engine: its weights, and nothing changed by it."""

import threading
from pathlib import Path
from typing import Any

import pytest

from core.config import Config, load_config
from core.events import Step
from core.runs import Run
from gpt_tui.session import Session

from .test_session import wait_until


def tiny(folder: Path, steps: int) -> Config:
    rows = [f'{{"prompt": "问题{n}是什么？", "completion": "答案{n}。"}}' for n in range(40)]
    (folder / "train.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return load_config("teacher").update(
        {
            "model.n_layer": 1, "model.n_head": 2, "model.n_embd": 16, "model.seq_len": 32, "tokenizer.vocab_size": 300,
            "model.dropout": 0.1,
            "data.train": str(folder / "train.jsonl"), "data.valid": None, "data.probes": [], "data.verify_rows": 0,
            "training.max_steps": steps, "training.log_interval": 1, "training.threads": 1, "training.int8": False,
            "training.dtype": "fp32", "training.batch_size": 4, "training.eval_interval": 1000,
        }
    )  # fmt: skip


def test_chatting_leaves_the_training_alone(tmp_path: Path) -> None:
    """With the weights being trained, and with a checkpoint from the disk: the losses are the same to the last bit."""
    import torch

    from core.generate import answer

    config = tiny(tmp_path, 40)
    plain, asked = Session(), Session()
    plain.start(config, Run(tmp_path / "plain"))
    assert plain.join(120.0)
    asked.start(config, Run(tmp_path / "asked"))
    wait_until(lambda: asked.snapshot().step >= 3)
    asked.pause()
    wait_until(lambda: asked.snapshot().state == "paused")
    first = asked.live_model()
    assert first.step == asked.snapshot().step
    again = asked.live_model()
    assert all(bool((a == b).all()) for a, b in zip(first.model.parameters(), again.model.parameters(), strict=True))
    drawing = first.config.sampling.model_copy(update={"temperature": 1.0, "max_new_tokens": 8})
    before = torch.get_rng_state()
    answer(first, "问题1是什么？", drawing, seed=3)
    answer(Run(tmp_path / "plain").load(), "问题1是什么？", drawing)
    assert torch.equal(before, torch.get_rng_state())
    with torch.no_grad():
        for weight in first.model.parameters():
            weight.zero_()
    asked.resume()
    wait_until(lambda: asked.snapshot().step > first.step or not asked.active)
    if asked.active:
        assert asked.live_model().step >= first.step
    assert asked.join(120.0)
    losses = [[e.loss for e in session.snapshot().steps if isinstance(e, Step)] for session in (plain, asked)]
    assert losses[0] == losses[1]
    assert asked.snapshot().failure is None


def test_while_it_verifies_the_saved_weights_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asked then waited for ten seconds, and was told that the training does not answer."""
    from core.training import finish

    asked, go_on = threading.Event(), threading.Event()
    ask = finish._ask

    def slowly(*arguments: Any) -> Any:
        asked.set()
        assert go_on.wait(60.0)
        return ask(*arguments)

    monkeypatch.setattr(finish, "_ask", slowly)
    session = Session()
    session.start(tiny(tmp_path, 5).update({"data.verify_rows": 2}), Run(tmp_path / "run"))
    try:
        assert asked.wait(60.0)
        wait_until(lambda: session.snapshot().state == "verifying")
        assert session.live_model().step == 5
    finally:
        go_on.set()
    assert session.join(60.0)


@pytest.mark.slow
def test_a_stopped_run_goes_on_with_its_history(tmp_path: Path) -> None:
    session = Session()
    session.start(tiny(tmp_path, 4000), Run(tmp_path / "run"))
    wait_until(lambda: session.snapshot().step >= 5)
    session.stop()
    assert session.join(60.0)
    stopped = session.snapshot()
    assert stopped.saved is not None
    changed = Run(tmp_path / "run").config().update({"training.max_steps": stopped.step + 5})
    session.start(changed, Run(tmp_path / "run"), resume=True)
    assert session.join(60.0)
    end = session.snapshot()
    assert end.failure is None
    assert [step.step for step in end.steps] == list(range(1, stopped.step + 6))
    assert end.elapsed > stopped.elapsed
