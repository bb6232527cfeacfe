"""Several questions on one text, learnt together.

Rows of a reading corpus that follow each other often begin with the same passage. As turns of one conversation the
passage is computed once for all of their answers: with six questions on 80 characters 2.7 times as many answers for
the same work. Questions asked in use are first turns, as the first of each conversation is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from .records import Record, Turn

#: What ends the text that several questions are about.
GAP = "\n\n"


def join_questions(records: Sequence[Record], most: int) -> Iterator[Record]:
    """``records`` with neighbours on the same text made one conversation of at most ``most`` turns.

    The text is what stands before a prompt's last empty line; later turns hold only what follows it. Rows of several
    turns, with a system prompt, an input of their own or no empty line stay as they are.
    """
    joined: list[Turn] = []
    first: Record | None = None
    text = ""
    for record in records:
        head, _, question = record.prompt.rpartition(GAP)
        alone = len(record.turns) != 1 or bool(record.system or record.turns[0].context) or not head
        if first is not None and not alone and head == text and len(joined) < most:
            joined.append(replace(record.turns[0], prompt=question))
            continue
        if first is not None:
            yield _conversation(first, joined)
        first, joined, text = record, list(record.turns), "" if alone else head
    if first is not None:
        yield _conversation(first, joined)


def _conversation(first: Record, turns: list[Turn]) -> Record:
    return first if len(turns) == len(first.turns) else replace(first, turns=tuple(turns), kind="", fact="")
