"""What the Chat tab is about, without its widgets: who is asked, how, and all that was said.

Everything here is called by the screen's thread, except where a reply's end is put into the history.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.errors import UserError

from ..cli import say
from .answerer import Answerer, Reply
from .conversation import MOST_EARLIER, Conversation, Exchange, checkpoint_name, finished
from .engine import Engine, Entry, first_checkpoint
from .history import History
from .options import Options
from .pair import Pair, Side
from .records import Choice, Question

MOST_PAIRS = 50


class Room:
    """The state of the Chat tab."""

    def __init__(self, engine: Engine, history: Callable[[Path], History] = History) -> None:
        self.engine = engine
        self.answerer = Answerer(engine)
        self.entries: list[Entry] = []
        self.live_run: Path | None = None
        self.choice: Choice | None = None
        self.other: Choice | None = None
        """The second model of Compare."""
        self.looks: dict[Choice, Reply] = {}
        """Models being loaded, or loaded, to be looked at."""
        self.pairs: list[Pair] = []
        self.seed: int | None = None
        """The seed of a run that was given no other."""
        self.listed = False
        """Whether somebody has looked which runs there are."""
        self.warning = ""
        """Something that went wrong beside the answers, in one line."""
        self._chosen = False
        """Whether a person has chosen a model."""
        self._history = history
        self._conversations: dict[Path, Conversation] = {}
        self._options: dict[Path, Options] = {}
        self._open: list[Exchange] = []

    # -- who is asked ---------------------------------------------------------------------------------------

    def offer(self, entries: list[Entry], live_run: Path | None, trained: Path | None = None) -> None:
        """What there is to ask by now; ``trained``: the run that this app has trained last.

        Until somebody chooses, the chat follows the training: it asks the one that runs or ran here, else the
        default checkpoint, else the newest run.
        """
        self.entries, self.live_run, self.listed = entries, live_run, True
        if self.choice is not None and self.choice.live and self.choice.run != live_run:
            self.choose(Choice(self.choice.run, "last"), by_hand=False)  # that training has ended
        if self.other is not None and self.other.live and self.other.run != live_run:
            self.choose_other(Choice(self.other.run, "last"))
        if self.choice is None or (not self._chosen and self.choice.run != (live_run or trained)):
            can_answer = [e for e in entries if e.path == live_run or e.checkpoints]
            entry = min(can_answer, key=lambda e: (e.path != (live_run or trained), not e.default), default=None)
            if entry is not None and (self.choice is None or entry.path in (live_run, trained)):
                name = entry.checkpoints[0] if entry.path == trained != live_run else first_checkpoint(entry, live_run)
                self.choose(Choice(entry.path, name), by_hand=False)

    def choose(self, choice: Choice, *, by_hand: bool = True) -> None:
        self.choice, self._chosen = choice, self._chosen or by_hand
        self._look(choice)

    def choose_other(self, choice: Choice) -> None:
        self.other = choice
        self._look(choice)

    def suggest_other(self) -> None:
        """A second model to compare with: int8 beside fp32 first of all."""
        if self.other is not None or self.choice is None:
            return
        entry = next((e for e in self.entries if e.path == self.choice.run), None)
        there = entry.checkpoints if entry is not None else ()
        names = [name for name in ("int8", "last", "best") if name in there and name != self.choice.checkpoint]
        self.choose_other(Choice(self.choice.run, names[0]) if names else self.choice)

    def _look(self, choice: Choice) -> None:
        for old in [known for known in self.looks if known not in (self.choice, self.other)]:
            del self.looks[old]
        self.looks[choice] = self.answerer.ask(choice, None)

    # -- how, and what was said -------------------------------------------------------------------------------

    @property
    def _key(self) -> Path:
        """Conversation and options belong to a run, whichever of its checkpoints is asked."""
        choice = self.choice
        return Path() if choice is None else choice.run or Path(choice.checkpoint)

    @property
    def options(self) -> Options:
        return self._options.get(self._key, Options(seed=self.seed))

    @options.setter
    def options(self, options: Options) -> None:
        self._options[self._key] = options

    @property
    def options_known(self) -> bool:
        """Whether the run's own settings have been read, or a person has set others."""
        return self._key in self._options

    @property
    def conversation(self) -> Conversation:
        found = self._conversations.get(self._key)
        if found is None:
            found = self._conversations[self._key] = Conversation(self._earlier())
        return found

    def _earlier(self) -> list[Exchange]:
        if self.choice is None:
            return []
        try:
            return self._history(self._key).read(MOST_EARLIER)
        except UserError as error:
            self.warning = say(error)
            return []

    def forget(self) -> None:
        """Delete the history of this run, on the screen and on the disk."""
        self.stop()
        self.conversation.clear()
        try:
            self._history(self._key).clear()
        except OSError as problem:
            self.warning = problem.strerror or str(problem)

    # -- asking ---------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        return self.answerer.answering

    def ask(self, text: str) -> Exchange:
        """Put a new question."""
        return self._put(self.conversation.ask(text))

    def again(self, exchange: Exchange, text: str | None = None) -> Exchange:
        """Put a question once more, perhaps in other words, in the place of the old one."""
        conversation = self.conversation
        place = next(i for i, other in enumerate(conversation.exchanges) if other is exchange)
        with_history = self.options.with_history
        return self._put(conversation.ask_again(place, exchange.question if text is None else text, with_history))

    def _put(self, exchange: Exchange) -> Exchange:
        assert self.choice is not None
        options = self.options
        history = self.conversation.context(exchange) if options.with_history else ()
        exchange.with_history = bool(history)
        self._send(exchange, self.choice, Question(exchange.question, history=history))
        return exchange

    def compare(self, text: str) -> Pair:
        """Put a question to both models, one after the other: together they would slow each other down."""
        assert self.choice is not None
        assert self.other is not None
        pair = Pair(text)
        for choice in (self.choice, self.other):
            exchange = Exchange(text)
            pair.sides.append(Side(choice, exchange))
            self._send(exchange, choice, Question(text))
        self.pairs.append(pair)
        for old in self.pairs[:-MOST_PAIRS]:
            self.pairs.remove(old)
        return pair

    def _send(self, exchange: Exchange, choice: Choice, question: Question) -> None:
        options = self.options
        question = Question(
            question.text, options.sampling if self.options_known else None, question.history, options.seed
        )
        exchange.checkpoint, exchange.seed = checkpoint_name(choice), options.seed
        log = self._history(choice.run or Path(choice.checkpoint))
        exchange.reply = self.answerer.ask(choice, question, lambda reply: _keep(log, reply))
        self._open.append(exchange)

    def stop(self) -> None:
        self.answerer.stop()

    def close(self) -> None:
        self.answerer.close()

    def take(self) -> list[Exchange]:
        """Copy what the answering thread has written since the last time; returns whose answers it is about."""
        moved = list(self._open)
        for exchange in moved:
            reply = exchange.reply
            if reply is not None:
                exchange.take(reply)
                if reply.facts is not None and reply.choice in self.looks:
                    self.looks[reply.choice].facts = reply.facts  # "last" may be a newer one by now
                self.warning = reply.warning or self.warning
        self._open = [exchange for exchange in moved if exchange.reply is not None]
        look = self.looks.get(self.choice) if self.choice is not None else None
        if look is not None and look.config is not None and not self.options_known:
            self.options = Options(look.config.sampling, self.options.seed, self.options.with_history)
        return moved

    def take_warning(self) -> str:
        """The warning, once."""
        warning, self.warning = self.warning, ""
        return warning


def _keep(log: History, reply: Reply) -> None:
    """Runs in the answering thread: a full disk costs the history, not the answer."""
    if reply.ending is None or (reply.ending.reason == "user" and not reply.ending.text):
        return  # stopped before it began
    try:
        log.add(finished(reply))
    except UserError as error:
        reply.warning = say(error)
