"""Tokens of an answer to the text that is shown of it, as it comes: whole characters, nothing of a stop string."""

from __future__ import annotations

from collections.abc import Sequence

from .tokenizer import Tokenizer

#: What seed 000 drops before an answer. Not brackets, quotes, digits or signs: they may begin an answer.
LEADING = " \t\r\n\u3000，。！？；：、,.!?;:"


class AnswerText:
    """Bytes of tokens to the visible answer: whole characters, leading punctuation trimmed, ended at the first
    stop string wherever it begins, also in the middle of a token; what may still become one is held back."""

    def __init__(self, tokenizer: Tokenizer, stops: Sequence[str], trim: bool) -> None:
        self._stream = tokenizer.stream()
        self._stops = [stop for stop in stops if stop]
        self._trim = trim
        self._pending = ""
        self.text = ""
        self.stopped = ""

    @property
    def empty(self) -> bool:
        """Nothing to show so far, not even what is held back: an answer that ended here would be none."""
        return not (self.text + self._pending).strip()

    def push(self, token: int) -> str:
        """The newly visible text; sets ``stopped`` to the stop string once one is complete."""
        return self._take(self._stream.push(token), final=False)

    def finish(self) -> str:
        """What was held back and is now known to be text."""
        return "" if self.stopped else self._take(self._stream.finish(), final=True)

    def _take(self, piece: str, final: bool) -> str:
        self._pending += piece
        while True:
            if self._trim and not self.text:
                self._pending = self._pending.lstrip(LEADING)
            cut, found = self._first_stop(self._pending)
            if not found or (self.text + self._pending[:cut]).strip():
                break
            # Before the first visible character a stop string would make an empty answer: it is dropped.
            self._pending = self._pending[:cut] + self._pending[cut + len(found) :]
        if found:
            self.stopped, keep, hold = found, self._pending[:cut], ""
        else:
            length = 0 if final else self._may_become_stop(self._pending)
            keep = self._pending[: len(self._pending) - length]
            hold = self._pending[len(self._pending) - length :]
        self._pending = hold
        self.text += keep
        return keep

    def _first_stop(self, text: str) -> tuple[int, str]:
        """Where the stop string begins that is complete first, however the text is cut into tokens."""
        places = [(text.find(stop), stop) for stop in self._stops if stop in text]
        return min(places, key=lambda place: (place[0] + len(place[1]), place[0]), default=(-1, ""))

    def _may_become_stop(self, text: str) -> int:
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0
