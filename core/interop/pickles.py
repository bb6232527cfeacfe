"""Reading what torch.save has pickled, without executing anything.

A pickle is a program for a stack machine, and one of its instructions calls any function of any module. This
machine has no such instruction: it builds dicts, lists, tuples, numbers and texts, and knows by name the few things
a file of weights is made of. Whatever else a file names is refused before a value of it exists.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from ..errors import Phrase

#: A file of weights pickles names and shapes: 25 kB for GPT-2. The limits are for files that were made to be too much.
MAX_INSTRUCTIONS = 2_000_000
MAX_BYTES = 32_000_000

_MARK = object()

#: Instructions that put their argument on the stack.
_LITERALS = frozenset({
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "INT", "LONG", "FLOAT", "UNICODE", "STRING",
})  # fmt: skip
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": set, "MARK": lambda: _MARK,
}  # fmt: skip
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class BadPickle(Exception):
    """It is no pickle of weights; the message, a ``Phrase``, says why in a few words."""


def _bad(template: str, **values: Any) -> BadPickle:
    return BadPickle(Phrase(template, **values))


@dataclass(frozen=True)
class Name:
    """Something of a module, by name alone: ``torch FloatStorage``."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


def read_pickle(
    file: IO[bytes],
    functions: dict[str, Callable[..., Any]],
    names: Callable[[Name], bool],
    persistent: Callable[[Any], Any],
) -> Any:
    """The value of the pickle at the file's position, which is left behind it.

    ``functions`` maps names, such as ``collections.OrderedDict``, to what stands for their call; ``names`` says which
    others may occur as values; ``persistent`` makes a value of a persistent id. Raises ``BadPickle``.
    """
    machine = _Machine(functions, names, persistent)
    try:
        for count, (opcode, argument, _position) in enumerate(pickletools.genops(_Bounded(file))):  # type: ignore[arg-type]
            if count > MAX_INSTRUCTIONS:
                raise _bad("it is too long")
            if opcode.name == "STOP":
                return machine.value()
            machine.step(opcode.name, argument)
    except BadPickle:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise _bad("it is no pickle") from None
    raise _bad("it ends too early")


class _Bounded:
    """A file of which at most ``MAX_BYTES`` are read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left = file, MAX_BYTES

    def read(self, count: int) -> bytes:
        if count > self._left:
            raise _bad("it is too long")
        self._left -= count
        return self._file.read(count)

    def readline(self) -> bytes:
        line = self._file.readline(self._left)
        self._left -= len(line)
        return line


class _Machine:
    """Stack, memo, and what may be on them."""

    def __init__(
        self,
        functions: dict[str, Callable[..., Any]],
        names: Callable[[Name], bool],
        persistent: Callable[[Any], Any],
    ) -> None:
        self._functions, self._names, self._persistent = functions, names, persistent
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def value(self) -> Any:
        (value,) = self._stack
        return value

    def step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            if len(stack) < count:
                raise _bad("it takes from an empty stack")
            stack[-count:] = [tuple(stack[-count:])]
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self._memo[argument])
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            if name == "STACK_GLOBAL":
                leaf, module = stack.pop(), stack.pop()
            else:
                module, _, leaf = argument.partition(" ")
            stack.append(self._named(Name(str(module), str(leaf))))
        elif name == "BINPERSID":
            stack.append(self._persistent(stack.pop()))
        elif name not in ("PROTO", "FRAME"):
            self._combine(name)

    def _named(self, name: Name) -> Name:
        if str(name) not in self._functions and not self._names(name):
            raise _bad("it names {name}, which no file of weights needs", name=str(name)[:80])
        return name

    def _combine(self, name: str) -> None:
        """Instructions that make one value of several."""
        stack = self._stack
        if name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            if not isinstance(function, Name) or str(function) not in self._functions:
                raise _bad("it calls something that is not a tensor")
            stack.append(self._functions[str(function)](*arguments))
        elif name == "BUILD":  # attributes of an object: torch hangs '_metadata' on the dict of weights
            stack.pop()
            if not isinstance(stack[-1], dict):
                raise _bad("it sets attributes")
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _fill(stack[-1], [key], [value])
        elif name == "APPEND":
            value = stack.pop()
            _a(list, stack[-1]).append(value)
        elif name in ("SETITEMS", "APPENDS", "TUPLE", "LIST", "DICT", "POP_MARK"):
            items = self._since_mark()
            if name == "SETITEMS":
                _fill(stack[-1], items[::2], items[1::2])
            elif name == "APPENDS":
                _a(list, stack[-1]).extend(items)
            elif name == "DICT":
                stack.append({})
                _fill(stack[-1], items[::2], items[1::2])
            elif name != "POP_MARK":
                stack.append(tuple(items) if name == "TUPLE" else items)
        elif name == "POP":
            stack.pop()
        elif name == "DUP":
            stack.append(stack[-1])
        else:
            raise _bad("it has the instruction {name}, which no file of weights needs", name=name)

    def _since_mark(self) -> list[Any]:
        stack = self._stack
        for place in range(len(stack) - 1, -1, -1):
            if stack[place] is _MARK:
                items = stack[place + 1 :]
                del stack[place:]
                return items
        raise _bad("a mark is missing")


def _fill(target: Any, keys: list[Any], values: list[Any]) -> None:
    """Put items into a dict. Only texts and numbers are keys: the hash of tuples in tuples in tuples takes for ever."""
    if not all(isinstance(key, (str, int)) for key in keys):
        raise _bad("a key that is no text")
    _a(dict, target).update(zip(keys, values, strict=True))


def _a(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, kind):
        raise _bad("it fills something that cannot be filled")
    return value
