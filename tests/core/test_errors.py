"""Errors: one English line, its template and its values apart."""

from __future__ import annotations

import pytest

from core.errors import CheckpointError, ConfigError, DataError, Phrase, RunError, UserError


def test_message_is_the_filled_template() -> None:
    error = UserError("{file}:{line}: broken", file="a.jsonl", line=3)
    assert str(error) == "a.jsonl:3: broken"
    assert error.template == "{file}:{line}: broken"
    assert error.values == {"file": "a.jsonl", "line": 3}


def test_braces_of_a_message_without_values_stay() -> None:
    assert str(UserError('expected {"prompt": …}')) == 'expected {"prompt": …}'


def test_braces_in_values_are_text() -> None:
    assert str(UserError("found {value}", value="{0} {x}")) == "found {0} {x}"


def test_values_may_have_the_names_of_parameters() -> None:
    assert str(UserError("{template} of {self}", template="a", **{"self": "b"})) == "a of b"


@pytest.mark.parametrize("kind", [ConfigError, DataError, CheckpointError, RunError])
def test_every_kind_is_a_user_error(kind: type[UserError]) -> None:
    with pytest.raises(UserError, match="gone"):
        raise kind("gone")


def test_a_phrase_is_a_string_that_keeps_its_parts() -> None:
    inner = Phrase("{n} rows", n=3)
    outer = Phrase("found {what}", what=inner)
    assert outer == "found 3 rows"
    assert (outer.template, outer.values) == ("found {what}", {"what": inner})
    assert isinstance(str(outer), Phrase)
    assert str(UserError("{a}!", a=outer)) == "found 3 rows!"
