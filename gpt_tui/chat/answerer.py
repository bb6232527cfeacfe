"""The thread that loads models and answers questions, one after the other.

The screen hands in a question and gets a ``Reply``, which it looks at ten times a second while it is being
written. Nothing waits for anybody: the thread only ever appends, the screen only ever reads.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from core.config import Config
from core.errors import UserError

from ..cli import say
from .engine import Engine
from .records import Choice, Ending, Facts, Piece, Question, Voice

KEPT_MODELS = 2
"""Models kept in memory: the two that Compare asks."""


class Reply:
    """What has come of one question so far. Written by the answering thread alone."""

    def __init__(self, choice: Choice, question: Question | None) -> None:
        self.choice = choice
        self.question = question
        """None: the model is only to be loaded."""
        self.state = "waiting"
        """'waiting', 'loading', 'answering', and at the end 'done', 'stopped' or 'failed'."""
        self.text = ""
        self.pieces: list[Piece] = []
        self.ending: Ending | None = None
        self.facts: Facts | None = None
        self.config: Config | None = None
        """About the model, once it is loaded; the model itself stays with the thread."""
        self.error = ""
        """Why it failed, in one line."""
        self.warning = ""
        """What else went wrong, in one line."""
        self.cancelled = threading.Event()
        self._first = self._last = 0.0

    @property
    def over(self) -> bool:
        return self.state in ("done", "stopped", "failed")

    @property
    def rate(self) -> float:
        """Tokens per second so far, from the first token on; 0: too few to tell."""
        seconds = self._last - self._first
        return (len(self.pieces) - 1) / seconds if len(self.pieces) > 1 and seconds > 0 else 0.0

    def add(self, piece: Piece) -> None:
        self._last = time.perf_counter()
        self._first = self._first or self._last
        self.text += piece.shown
        self.pieces.append(piece)

    @property
    def version(self) -> tuple[str, int, bool]:
        """Changes whenever there is something new to show."""
        return self.state, len(self.pieces), self.facts is not None


class Answerer:
    """Owns the thread, the loaded models, and the question being answered."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._jobs: queue.Queue[tuple[Reply, Callable[[Reply], None] | None] | None] = queue.Queue()
        self._open: list[Reply] = []
        self._models: OrderedDict[Choice, tuple[Hashable, Voice]] = OrderedDict()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a question is not yet answered, or a model not yet loaded."""
        self._open = [reply for reply in self._open if not reply.over]
        return bool(self._open)

    @property
    def answering(self) -> bool:
        return self.busy and any(reply.question is not None for reply in self._open)

    def ask(self, choice: Choice, question: Question | None, when_over: Callable[[Reply], None] | None = None) -> Reply:
        """Answer ``question`` with a model, or only load it. ``when_over`` is called in the answering thread."""
        reply = Reply(choice, question)
        self._open.append(reply)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="chat", daemon=True)
            self._thread.start()
        self._jobs.put((reply, when_over))
        return reply

    def stop(self) -> None:
        """Stop answering at the next token, whatever waits behind it included."""
        for reply in list(self._open):
            if reply.question is not None:
                reply.cancelled.set()

    def close(self, timeout: float = 2.0) -> None:
        """End the thread; it gets there after the token it is at."""
        for reply in list(self._open):
            reply.cancelled.set()
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(timeout)
            self._thread = None

    # -- in the thread --------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            reply, when_over = job
            try:
                end = self._answer(reply)
                if when_over is not None:
                    when_over(reply)
            except UserError as error:
                reply.error, end = say(error), "failed"
            except Exception as error:  # whatever torch raises belongs on the screen; the thread lives on
                reply.error, end = f"{type(error).__name__}: {say(error)}".splitlines()[0], "failed"
            reply.state = end

    def _answer(self, reply: Reply) -> str:
        if reply.cancelled.is_set():
            reply.ending = Ending("", "user")
            return "stopped"
        reply.state = "loading"
        voice = self._voice(reply.choice)
        reply.config, reply.facts = voice.config, voice.facts
        if reply.question is None:
            return "done"
        reply.state = "answering"
        items = self.engine.ask(voice, reply.question)
        try:
            for item in items:
                if isinstance(item, Ending):
                    reply.text, reply.ending = item.text, item
                    return "done"
                reply.add(item)
                if reply.cancelled.is_set():
                    break
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        reply.ending = Ending(reply.text, "user", tokens=len(reply.pieces), rate=reply.rate)
        return "stopped"

    def _voice(self, choice: Choice) -> Voice:
        """The model of ``choice``, loaded anew only if its checkpoint is another one by now."""
        mark = self.engine.mark(choice)
        known = self._models.pop(choice, None)
        if known is not None and mark is not None and known[0] == mark:
            voice = known[1]
        else:
            del known  # its memory is needed for the new one
            voice = self.engine.load(choice)
        if mark is not None:
            self._models[choice] = (mark, voice)
        while len(self._models) > KEPT_MODELS:
            self._models.popitem(last=False)
        return voice
