"""What can happen in a training, there and back through JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import KINDS, Eval, Event, Finished, Notice, Probe, Saved, Started, Step, from_json

texts = st.text(max_size=10)
floats = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), floats, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "str": texts,
    "str | None": st.none() | texts,
    "int": st.integers(),
    "int | None": st.none() | st.integers(),
    "float": floats,
    "float | None": st.none() | floats,
    "bool": st.booleans(),
    "dict[str, Any]": st.dictionaries(texts, plain, max_size=3),
}


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(list(KINDS.values())))
    return kind(**{field.name: draw(FIELDS[str(field.type)]) for field in dataclasses.fields(kind)})


def line(event: Event) -> str:
    return json.dumps(event.to_json(), allow_nan=False)


def test_every_kind_of_event_is_known_by_a_name_of_its_own() -> None:
    assert set(KINDS.values()) == set(Event.__subclasses__())
    assert all(kind and kind == cls.kind for kind, cls in KINDS.items())


def test_names_that_scripts_rely_on() -> None:
    assert {"step", "eval", "probe", "checkpoint", "finished"} <= set(KINDS)
    step = Step(1, 2.0, 1e-3, 1.0, 100.0, 1.0, None).to_json()
    assert {"kind", "step", "loss", "lr", "grad_norm", "tokens_per_second", "elapsed", "eta"} <= set(step)
    assert {"kind", "step", "loss"} <= set(Eval(1, 2.0).to_json())
    assert {"kind", "step", "prompt", "answer", "expected", "exact"} == set(Probe(1, "a", "b", None, False).to_json())
    assert {"kind", "step", "path"} <= set(Saved(1, "p").to_json())
    assert {"kind", "reason", "steps", "train_seconds"} <= set(Finished("user", 1, 2.0).to_json())


@given(events())
def test_an_event_comes_back_from_its_line(event: Event) -> None:
    values = json.loads(line(event))
    assert next(iter(values)) == "kind"
    assert from_json(values) == event


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_becomes_null_and_then_nan(bad: float) -> None:
    found = from_json(json.loads(line(Step(1, bad, 1e-3, bad, 100.0, 1.0, bad))))
    assert isinstance(found, Step)
    assert math.isnan(found.loss)
    assert math.isnan(found.grad_norm)
    assert found.eta is None
    nested = Notice("x", {"a": [bad, {"b": bad}], "c": (1, bad)})
    assert json.loads(line(nested))["values"] == {"a": [None, {"b": None}], "c": [1, None]}


def test_a_first_evaluation_has_no_best_yet() -> None:
    assert json.loads(line(Eval(1, 2.0)))["best"] is None


@given(st.dictionaries(st.one_of(texts, st.sampled_from(["kind", "step", "loss", "values", "template"])), plain))
def test_any_mapping_is_an_event_or_none(values: dict[str, Any]) -> None:
    assert from_json(values) is None or isinstance(from_json(values), Event)


@given(events(), st.data())
def test_a_line_of_another_version_is_read_as_far_as_it_goes(event: Event, data: st.DataObject) -> None:
    values = event.to_json()
    assert from_json({**values, "new field": 1}) == event
    del values[data.draw(st.sampled_from(sorted(set(values) - {"kind"})))]
    assert from_json(values) is None or type(from_json(values)) is type(event)
    assert from_json({**values, "kind": "never heard of"}) is None


def test_events_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Eval(1, 2.0).loss = 3.0  # type: ignore[misc]


def test_the_text_of_a_notice() -> None:
    assert Notice("{n} rows of {file}", {"n": 3, "file": "{x}"}).text == "3 rows of {x}"


def test_a_start_holds_its_data_report() -> None:
    started = Started("r", "runs/r", "teacher", 0, "cpu", 2, "bf16", 10, 300, None, 1.5, {"rows": [1, {"a": None}]})
    assert from_json(json.loads(line(started))) == started


@pytest.mark.parametrize(
    "change",
    [{"step": "20"}, {"step": True}, {"step": 1.5}, {"loss": "1"}, {"loss": [1]}, {"step": None}, {"lr": {}}],
)
def test_values_of_another_kind_are_no_event(change: dict[str, Any]) -> None:
    line = Step(20, 1.0, 1e-3, 1.0, 1.0, 1.0, None).to_json()
    assert from_json(line) is not None
    assert from_json(line | change) is None
