"""Questions and answers with one run: asked anew, edited, and what of them a question takes along."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from core.records import Turn

from .answerer import Reply
from .records import Choice, Facts, Piece

MOST_SHOWN = 100
"""Exchanges kept on the screen; the file keeps more."""
MOST_EARLIER = 30
"""Exchanges of earlier sessions shown."""
MOST_WITH_TOKENS = 20
"""Exchanges whose tokens and alternatives stay in memory."""
FEW = 5
"""Fewer tokens than this say nothing about speed."""


@dataclass
class Exchange:
    """A question and what came of it."""

    question: str
    answer: str = ""
    checkpoint: str = ""
    step: int = 0
    reason: str = ""
    """Why the answer ended; '' while it has not."""
    stop: str = ""
    tokens: int = 0
    rate: float = 0.0
    seed: int | None = None
    time: float = 0.0
    """Seconds since 1970."""
    error: str = ""
    earlier: bool = False
    """Read from the history, not asked in this session."""
    with_history: bool = False
    """It was asked with the exchanges before it."""
    cut: int = 0
    """Tokens of the question's beginning that the model did not read."""
    pieces: list[Piece] = field(default_factory=list)
    facts: Facts | None = None
    """About the model that answered, once it is loaded."""
    reply: Reply | None = None
    """While it is being answered."""

    def take(self, reply: Reply) -> None:
        """Copy what has come so far; once it is over, everything."""
        over = reply.over  # looked at first: what is read after it is then complete
        self.answer, self.pieces = reply.text, reply.pieces
        if reply.facts is not None:
            self.facts, self.step = reply.facts, reply.facts.step
        if not over:
            return
        self.reply = None
        self.error = reply.error
        ending = reply.ending
        if ending is not None:
            self.answer, self.reason, self.stop = ending.text, ending.reason, ending.stop
            self.tokens, self.rate, self.cut = ending.tokens, ending.rate, ending.cut


def finished(reply: Reply) -> Exchange:
    """What the history keeps of a reply that has come to its end."""
    question = reply.question
    assert question is not None
    assert reply.ending is not None
    ending = reply.ending
    return Exchange(
        question.text, ending.text, checkpoint_name(reply.choice), reply.facts.step if reply.facts else 0,
        ending.reason, ending.stop, ending.tokens, ending.rate, question.seed, time.time(),
    )  # fmt: skip


def checkpoint_name(choice: Choice) -> str:
    """A checkpoint as the history calls it."""
    return Path(choice.checkpoint).name or choice.checkpoint


class Conversation:
    """The exchanges with one run, oldest first."""

    def __init__(self, earlier: list[Exchange] | None = None) -> None:
        self.exchanges: list[Exchange] = list(earlier or [])
        self.begin = len(self.exchanges)
        """The first exchange that a question may take along: those before belong to another conversation."""

    def ask(self, question: str) -> Exchange:
        """A new exchange at the end."""
        exchange = Exchange(question, time=time.time())
        self.exchanges.append(exchange)
        surplus = len(self.exchanges) - MOST_SHOWN
        if surplus > 0:
            del self.exchanges[:surplus]
            self.begin = max(0, self.begin - surplus)
        for old in self.exchanges[:-MOST_WITH_TOKENS]:
            old.pieces = []
        return exchange

    def ask_again(self, index: int, question: str, with_history: bool) -> Exchange:
        """Ask in the place of an exchange, perhaps in other words.

        With history, what followed was said to an answer that is gone, and goes too.
        """
        exchange = Exchange(question, time=time.time())
        if with_history:
            del self.exchanges[index:]
            self.exchanges.append(exchange)
        else:
            self.exchanges[index] = exchange
        self.begin = min(self.begin, index)
        return exchange

    def context(self, exchange: Exchange) -> tuple[Turn, ...]:
        """The questions and answers of this conversation before ``exchange``."""
        place = next(i for i, other in enumerate(self.exchanges) if other is exchange)
        return tuple(
            Turn(other.question, other.answer)
            for other in self.exchanges[self.begin : place]
            if other.answer and not other.error and other.reply is None
        )

    def start_over(self) -> None:
        """What follows takes nothing along of what is there."""
        self.begin = len(self.exchanges)

    def clear(self) -> None:
        self.exchanges.clear()
        self.begin = 0
