"""Reading a YAML file the way a person means it, and remembering on which line each key stands.

PyYAML follows YAML 1.1, where ``3e-4`` is a string, ``no`` is False and a key given twice silently wins.
Here numbers are numbers, only true/false are booleans, and a key given twice is an error. Anchors and
aliases are refused: no setting needs them, and a few nested ones expand to gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError, Phrase
from .storage import read_text
from .text import first_line

KeyPath = tuple[str | int, ...]

MAX_BYTES = 1_000_000  # the longest recipe is 3 kB
MAX_DEPTH = 20


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2 scalars and without aliases."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the attribute PyYAML itself reads

    def fetch_flow_collection_start(self, token_class: Any) -> None:
        if self.flow_level > MAX_DEPTH:  # the scanner looks at every level for every token: 100,000 take minutes
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=self.get_mark())
        super().fetch_flow_collection_start(token_class)

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not allowed", problem_mark=mark)
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that puts in quotes whatever ``_Loader`` would not read back as the same text."""


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|True|false|False)$", "tTfF"),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|)$", "~nN\0"),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9][0-9_]*$", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9]+|[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?$",
        "-+.0123456789",
    ),
):
    for _side in (_Loader, _Dumper):
        _side.add_implicit_resolver(_tag, re.compile(_pattern), [c if c != "\0" else "" for c in _first])


def _construct(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int]) -> Any:
    lines[path] = node.start_mark.line + 1
    if len(path) > MAX_DEPTH:
        raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=node.start_mark)
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a word", problem_mark=key_node.start_mark)
            key = str(key_node.value)
            if key in result:
                raise yaml.MarkedYAMLError(
                    problem=Phrase("the key '{key}' is given twice", key=key), problem_mark=key_node.start_mark
                )
            result[key] = _construct(value_node, (*path, key), lines)
            here: KeyPath = (*path, key)
            lines[here] = key_node.start_mark.line + 1
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*path, i), lines) for i, item in enumerate(node.value)]
    return _scalar(node)


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    kind = node.tag.rsplit(":", 1)[-1]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind in ("int", "float"):
        if len(text) > 40:  # int('9' * 10**6) takes seconds
            raise yaml.MarkedYAMLError(problem="a number of over 40 digits", problem_mark=node.start_mark)
        return int(text.replace("_", "")) if kind == "int" else float(text.replace("_", ""))
    return text


def parse_yaml(text: str, source: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """A YAML mapping and the line of every key path in it.

    Raises ``ConfigError`` naming ``source`` and the line for anything that is not a plain mapping.
    """
    lines: dict[KeyPath, int] = {}
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            value = {} if node is None else _construct(node, (), lines)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = error.problem or error.context or Phrase("not readable")
        raise ConfigError("{file}:{line}: not valid YAML: {problem}", file=source, line=line, problem=problem) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = first_line(error)
        raise ConfigError("{file}: not valid YAML: {problem}", file=source, problem=problem) from None
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ConfigError("{file}:1: expected 'key: value' lines, found something else", file=source)
    return value, lines


def load_yaml(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """``parse_yaml`` of a file. Raises ``ConfigError`` when it cannot be read."""
    return parse_yaml(read_text(path, limit=MAX_BYTES, error=ConfigError), str(path))


def _text_node(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # Of these line breaks PyYAML turns some into a blank or a line feed, unless they are written as escapes.
    style = '"' if any(char in text for char in "\r\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text_node)


def dump_yaml(values: Mapping[str, Any]) -> str:
    """YAML text that ``parse_yaml`` reads back to the same values."""
    return str(yaml.dump(dict(values), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1000))


def parse_scalar(text: str) -> Any:
    """The value after ``key=`` on a command line, read as YAML would (``1e-3``, ``true``, ``[a, b]``)."""
    value, _ = parse_yaml(f"value: {text}" if text else "value: ''", "--set")
    return value["value"]
