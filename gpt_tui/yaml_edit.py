"""Changing one value in a YAML text and leaving every other character as it stands.

A parser that writes the whole text anew loses something of the user's: alignment, the style of quotes, the place of
a comment between two keys. Here PyYAML only says where each value begins and ends; the new value is put there,
or a new line is put behind the last line of the key before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

from .config_text import inline

_TRAILING_COMMENT = re.compile(r"([ \t]+)#")


def set_value(text: str, key: str, value: Any, order: Sequence[str]) -> str:
    """``text`` with the dotted ``key`` set. ``order`` lists all keys: a new one goes behind those before it."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    section, _dot, name = key.rpartition(".")
    if root is None:  # nothing but comments
        return _append(text, _new_section(section, name, value, _newline(text)))
    sections = list(dict.fromkeys(k.partition(".")[0] for k in order))
    if not section:
        return _set_in(text, root, name, value, sections)
    found = _child(root, section)
    if found is None:
        return _insert(text, root, section, None, sections, _new_section(section, name, value, _newline(text)))
    if not isinstance(found, yaml.MappingNode):  # 'model:' with nothing behind it
        return _insert_lines(text, found.end_mark.index, _entry(name, value, "  ", _newline(text)))
    names = [k.rpartition(".")[2] for k in order if k.rpartition(".")[0] == section]
    return _set_in(text, found, name, value, names)


def _set_in(text: str, mapping: yaml.Node, name: str, value: Any, order: Sequence[str]) -> str:
    node = _child(mapping, name)
    if node is None:
        return _insert(text, mapping, name, value, order)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and isinstance(value, list) and value:
        return _edit_items(text, node, value)
    if _is_block(value) or (isinstance(node, (yaml.SequenceNode, yaml.MappingNode)) and not node.flow_style):
        return _replace_block(text, mapping, name, node, value)
    return _splice(text, node.start_mark.index, _end(text, node), inline(value))


# -- where things stand -------------------------------------------------------------------------------------------


def _child(mapping: yaml.Node, name: str) -> yaml.Node | None:
    if isinstance(mapping, yaml.MappingNode):
        for key, value in mapping.value:
            if key.value == name:
                found: yaml.Node = value
                return found
    return None


def _in_one_line(node: yaml.Node) -> bool:
    """Written as {…} or […]."""
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _end(text: str, node: yaml.Node) -> int:
    """Behind the last character of a value; the parser's own mark of a block lies behind the comments after it."""
    begin, end = int(node.start_mark.index), int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode):
        return begin + len(text[begin:end].rstrip()) if node.style in ("|", ">") else end
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return end
    last = node.value[-1]
    return _end(text, last[1] if isinstance(last, tuple) else last)


def _line_end(text: str, index: int) -> int:
    """The line break of the line that ``index`` is on, or the end of the text."""
    found = text.find("\n", index)
    end = len(text) if found < 0 else found
    return end - 1 if end > index and text[end - 1] == "\r" else end


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


# -- putting in ---------------------------------------------------------------------------------------------------


def _splice(text: str, begin: int, end: int, new: str) -> str:
    """Replace a value in its line; a comment behind it stays in its column where there is room."""
    if begin == end and text[begin - 1 : begin] not in (" ", "\t", ""):
        new = " " + new
    rest = text[end:]
    comment = _TRAILING_COMMENT.match(rest)
    if comment:
        gap = len(comment[1])
        grown = _cells(new) - _cells(text[begin:end])
        rest = " " * max(1, gap - grown) + rest[gap:] if "\t" not in comment[1] else rest
    return text[:begin] + new + rest


def _cells(text: str) -> int:
    from core.text import cell_width

    return sum(map(cell_width, text))


def _insert(
    text: str, mapping: yaml.Node, name: str, value: Any, order: Sequence[str], lines: str | None = None
) -> str:
    """Add a key behind the nearest one before it in ``order``, else at the end. ``lines``: a whole section."""
    if _in_one_line(mapping):
        if mapping.value:  # right behind the last value: a comma or a comment may follow
            end = _end(text, mapping.value[-1][1])
            return text[:end] + f", {name}: {inline(value)}" + text[end:]
        end = int(mapping.end_mark.index) - 1
        return text[:end] + f"{name}: {inline(value)}" + text[end:]
    known = {word: rank for rank, word in enumerate(order)}
    rank = known.get(name, len(order))
    earlier = [(known.get(key.value, len(order)), child) for key, child in mapping.value]
    nearest = max((pair for pair in earlier if pair[0] < rank), key=lambda pair: pair[0], default=None)
    behind = _end(text, mapping.value[-1][1] if nearest is None else nearest[1])
    newline = _newline(text)
    if lines is None:
        return _insert_lines(text, behind, _entry(name, value, " " * mapping.start_mark.column, newline))
    # Where sections are set apart by blank lines, this one is too; the blank line that follows stays behind it.
    apart = newline if newline * 2 in text or len(mapping.value) == 1 else ""
    return _insert_lines(text, behind, apart + lines)


def _insert_lines(text: str, behind: int, lines: str) -> str:
    """Put whole lines under the line that ``behind`` is on."""
    at = _line_end(text, behind)
    newline = _newline(text)
    rest = text[at:]
    return text[:at] + newline + lines.removesuffix(newline) + (rest or newline)


def _append(text: str, lines: str) -> str:
    return text + ("" if not text or text.endswith("\n") else _newline(text)) + lines


def _new_section(section: str, name: str, value: Any, newline: str) -> str:
    if not section:
        return _entry(name, value, "", newline)
    return f"{section}:{newline}" + _entry(name, value, "  ", newline)


def _entry(name: str, value: Any, indent: str, newline: str) -> str:
    """The line or lines of a key; a list of mappings as a block."""
    if not _is_block(value):
        return f"{indent}{name}: {inline(value)}{newline}"
    return f"{indent}{name}:{newline}" + "".join(_item(item, indent + "  ", newline) for item in value)


def _is_block(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _item(item: Any, indent: str, newline: str) -> str:
    """One entry of a block list."""
    if not isinstance(item, dict):
        return f"{indent}- {inline(item)}{newline}"
    filled = [(key, value) for key, value in item.items() if value is not None]
    return "".join(
        f"{indent}{'- ' if number == 0 else '  '}{key}: {inline(value)}{newline}"
        for number, (key, value) in enumerate(filled)
    )


# -- lists --------------------------------------------------------------------------------------------------------


def _replace_block(text: str, mapping: yaml.Node, name: str, node: yaml.Node, value: Any) -> str:
    """Exchange a value where the old or the new one takes lines of its own."""
    begin, end = int(node.start_mark.index), _end(text, node)
    newline = _newline(text)
    if not _is_block(value):  # a block gives way to one line
        key_end = next(int(key.end_mark.index) for key, _value in mapping.value if key.value == name)
        colon = text.index(":", key_end) + 1
        return text[:colon] + " " + inline(value) + text[colon : _line_end(text, colon)] + text[_line_end(text, end) :]
    if _in_one_line(mapping):
        return text[:begin] + inline(value) + text[end:]
    indent = " " * (mapping.start_mark.column + 2)
    lines = "".join(_item(item, indent, newline) for item in value)
    head = text[:begin].rstrip(" ") if begin != end else text[:begin]
    return _insert_lines(head + text[end:], len(head), lines)


def _edit_items(text: str, node: yaml.Node, value: list[Any]) -> str:
    """Make a block list say ``value``, from its last entry to the first, touching only those that differ."""
    items = list(node.value)
    newline = _newline(text)
    indent = " " * node.start_mark.column
    if len(value) > len(items):
        lines = "".join(_item(item, indent, newline) for item in value[len(items) :])
        text = _insert_lines(text, _end(text, items[-1]), lines)
    for number in range(len(items) - 1, -1, -1):
        item = items[number]
        if number >= len(value):
            begin = text.rindex("-", 0, item.start_mark.index)
            line = text.rindex("\n", 0, begin) + 1
            text = text[:line] + text[_line_end(text, _end(text, item)) :].removeprefix("\r").removeprefix("\n")
        else:
            text = _edit_item(text, item, value[number])
    return text


def _edit_item(text: str, item: yaml.Node, wanted: Any) -> str:
    if isinstance(wanted, dict) and isinstance(item, yaml.MappingNode):
        # From the end to the beginning: the marks of what comes before stay true.
        present = [key.value for key, _value in item.value]
        for name in wanted:
            if wanted[name] is not None and name not in present:
                text = _insert(text, item, name, wanted[name], list(wanted))
        for key, value in reversed(item.value):
            if wanted.get(key.value) is None:
                text = _drop(text, item, key, value)
            elif value.value != wanted[key.value]:
                text = _splice(text, value.start_mark.index, _end(text, value), inline(wanted[key.value]))
        return text
    if isinstance(item, yaml.ScalarNode) and item.value == wanted:
        return text
    return _splice(text, item.start_mark.index, _end(text, item), inline(wanted))


def _drop(text: str, mapping: yaml.Node, key: yaml.Node, value: yaml.Node) -> str:
    """Take a key out of an entry: its line, or only its value where the entry begins on that line."""
    end = _end(text, value)
    if _in_one_line(mapping) or mapping.value[0][0] is key:
        return _splice(text, value.start_mark.index, end, "null")
    line = text.rindex("\n", 0, key.start_mark.index) + 1
    return text[:line] + text[_line_end(text, end) :].removeprefix("\r").removeprefix("\n")
