"""A training small enough for a test: a dozen rows, two layers of width 32, some milliseconds a step."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.config import Config
from core.control import Control
from core.errors import UserError
from core.events import Eval, Event, Probe, Step
from core.prepare import Prepared, prepare
from core.recorder import Recorder
from core.runs import Run
from core.train import train
from core.training.trainer import Trainer

from ..drained import drained

TRAIN = [
    ("什么是鲸？", "鲸是生活在海里的哺乳动物。"),
    ("鲸是鱼吗？", "不是。"),
    ("水在多少度沸腾？", "在一个大气压下，水在一百摄氏度沸腾。"),
    ("冰是什么？", "冰是固态的水。"),
    ("什么是梯度？", "梯度指出函数上升最快的方向。"),
    ("什么是学习率？", "学习率是每一步走多远。"),
    ("什么是词元？", "词元是模型读写的最小单位。"),
    ("光快还是声快？", "光快。"),
    ("What is a token?", "A piece of text."),
    ("What is a loss?", "How wrong the model is, in nats per token."),
    ("月亮发光吗？", "月亮不发光，它反射太阳的光。"),
    ("一年有几个月？", "十二个月。"),
]
VALID = [
    ("鲸是什么？", "鲸是生活在海里的哺乳动物。"),
    ("什么叫梯度？", "梯度指出函数上升最快的方向。"),
    ("一年几个月？", "十二个月。"),
]
Pairs = Iterable[tuple[str, str]]
ENDLESS = 3000  # events; no training here has a tenth of that


class Lab:
    """A folder with a tiny corpus, and trainings in it."""

    TRAIN, VALID = TRAIN, VALID

    def __init__(self, folder: Path, shelf: Lab | None = None) -> None:
        self.folder, self.shelf = folder, shelf
        self.write("train.jsonl", TRAIN)
        self.write("valid.jsonl", VALID)

    def write(self, name: str, pairs: Pairs) -> Path:
        path = self.folder / name
        rows = [json.dumps({"prompt": p, "completion": c}, ensure_ascii=False) for p, c in pairs]
        path.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
        return path

    def config(self, changes: Mapping[str, Any] | None = None, /) -> Config:
        """The tiny settings with dotted ``changes``."""
        tiny = {
            "model": {"n_layer": 2, "n_head": 2, "n_embd": 32, "seq_len": 64},
            "tokenizer": {"vocab_size": 300},
            "data": {
                "train": str(self.folder / "train.jsonl"),
                "valid": str(self.folder / "valid.jsonl"),
                "verify_rows": 0,
            },
            "sampling": {"max_new_tokens": 12},
            "training": {
                "max_steps": 8,
                "batch_size": 4,
                "lr": 3e-3,
                "threads": 1,
                "dtype": "fp32",
                "log_interval": 1,
                "eval_interval": 1000,
                "save_interval": 1000,
                "int8": False,
                "figures": False,
            },
        }
        return Config.from_dict(tiny).update(dict(changes or {}))

    def run(self, name: str = "run") -> Run:
        return Run(self.folder / name)

    def start(self, changes: Mapping[str, Any] | None = None, name: str = "run", control: Control | None = None) -> Any:
        """The generator of a new training."""
        return train(self.config(changes), self.run(name), control)

    def train(
        self,
        changes: Mapping[str, Any] | None = None,
        name: str = "run",
        control: Control | None = None,
        on: Callable[[Event], None] = lambda event: None,
    ) -> list[Event]:
        """All events of a new training; ``on`` sees each before the training goes on."""
        events = []
        for event in self.start(changes, name, control):
            events.append(event)
            assert len(events) < ENDLESS
            on(event)
        return events

    def ready(self, changes: Mapping[str, Any] | None = None, name: str = "run") -> Run:
        """A run whose training has ended, for tests that begin where it stopped or compare with it: trained once for
        all tests that ask for these ``changes``, and copied. Its settings name the data of the shelf."""
        assert self.shelf is not None
        key = hashlib.sha256(repr(self.shelf.config(changes).to_dict()).encode()).hexdigest()
        kept = f"{key}/{name}"  # some events hold the run's name
        if not self.shelf.run(kept).path.exists():
            self.shelf.train(changes, kept)
        shutil.copytree(self.shelf.run(kept).path, self.run(name).path)
        return self.run(name)

    def resuming(self, name: str = "run", config: Config | None = None) -> Any:
        """The generator of a training that goes on."""
        return train(config, self.run(name), resume=True)

    def resume(self, name: str = "run", config: Config | None = None) -> list[Event]:
        return list(self.resuming(name, config))

    def cut_short(self, changes: Mapping[str, Any], name: str, after: Callable[[Event], bool]) -> None:
        """Train until the first event for which ``after`` holds and drop everything there, as a kill would."""
        generator = self.start(changes, name)
        assert any(after(event) for event in generator), "the training ended before it could be cut short"
        generator.close()

    def failing(
        self,
        changes: Mapping[str, Any] | None = None,
        name: str = "run",
        control: Control | None = None,
        on: Callable[[Event], None] = lambda event: None,
    ) -> tuple[list[Event], UserError]:
        """The events of a training up to the error that it ends with, and that error."""
        events: list[Event] = []
        try:
            for event in self.start(changes, name, control):
                events.append(event)
                assert len(events) < ENDLESS
                on(event)
        except UserError as error:
            return events, error
        pytest.fail(f"the training did not fail: {events[-1]}")

    def prepared(self, changes: Mapping[str, Any] | None = None) -> Prepared:
        return drained(prepare(self.config(changes)))[1]

    def trainer(self, changes: Mapping[str, Any] | None = None) -> Trainer:
        """A trainer with model and data, before its first step."""
        trainer = Trainer(self.config(changes), self.run(), Control())
        trainer.prepared = self.prepared(changes)
        trainer.build(None, None)
        return trainer

    def recorder(self, name: str = "run") -> Recorder:
        run = self.run(name)
        run.path.mkdir(exist_ok=True)
        return Recorder(run)

    def trace(self, name: str = "run") -> list[tuple[Any, ...]]:
        """All figures of a run that must not depend on time, from its file, to the last bit."""
        found: list[tuple[Any, ...]] = []
        for event in self.run(name).read_metrics():
            if isinstance(event, Step):
                found.append(("step", event.step, event.loss, event.lr, event.grad_norm, event.epoch, event.tokens))
            elif isinstance(event, Eval):
                found.append(("eval", event.step, event.loss, event.best, event.best_step, event.improved))
            elif isinstance(event, Probe):
                found.append(("probe", event.step, event.prompt, event.answer))
        return found

    @staticmethod
    def of(kind: type[Any], events: Iterable[Event]) -> list[Any]:
        return [event for event in events if isinstance(event, kind)]


class Clock:
    """Time that goes on by a fixed amount with every look at it."""

    def __init__(self, tick: float = 0.5) -> None:
        self.now, self.tick = 1000.0, tick

    def perf_counter(self) -> float:
        self.now += self.tick
        return self.now

    def time(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Where the trainings of ``Lab.ready`` are kept."""
    return Lab(tmp_path_factory.mktemp("shelf"))


@pytest.fixture
def lab(tmp_path: Path, shelf: Lab) -> Lab:
    return Lab(tmp_path, shelf)


@pytest.fixture(autouse=True)
def no_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush to the disk takes 3 ms, there are 80 in a tiny training, and they matter when the power fails."""
    monkeypatch.setattr("os.fsync", lambda fd: None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The loop's own clock replaced; nothing else sees it."""
    found = Clock()
    monkeypatch.setattr("core.training.pace.time", found)
    return found
