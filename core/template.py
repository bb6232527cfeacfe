"""How a question becomes a prompt, in training and in use alike.

A template turns a record into segments: text that is given and text to be learnt. The prompt of the last
question is built by the very same code, so that what the model is asked is what it was trained on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .records import Record, Turn


@dataclass(frozen=True)
class Segment:
    """A piece of a row: given (``learn`` False) or to be learnt, the latter closed by the end token."""

    text: str
    learn: bool
    closed: bool = False
    """The end token follows though nothing of it is learnt."""


@dataclass(frozen=True)
class Template:
    """The words around questions and answers."""

    name: str
    before: str
    """Before a question."""
    between: str
    """Between a question and its answer; the model goes on from here."""
    after: str
    """Between an answer and the next question."""
    system: str = "{text}\n"
    context: str = "\n"
    """Between an instruction and its input."""
    answer_label: str = ""
    """Shown before an answer where the user asks for it."""
    bos: bool = True
    """Rows begin with ``<bos>``; GPT-2's texts do not."""
    closed: bool = False
    """The end token stands between a question and its answer too."""
    endless: bool = False
    """What it writes is a text that goes on where the context is full, not the answer to a question."""

    def segments(self, record: Record) -> list[Segment]:
        """A whole row, answers included."""
        if record.text:
            return [Segment(record.text, learn=True)]
        found: list[Segment] = []
        given = self._opening(record.system)
        for turn in record.turns:
            given += self._question(turn)
            found.append(Segment(given, learn=False, closed=self.closed))
            found.append(Segment(turn.completion, learn=True))
            given = self.after
        return found

    def prompt_segments(self, question: Turn, history: tuple[Turn, ...] = (), system: str = "") -> list[Segment]:
        """What stands before the answer to ``question``; ``history`` holds earlier questions and answers."""
        row = self.segments(Record(turns=(*history, question), system=system))
        return row[:-1]

    def _opening(self, system: str) -> str:
        return self.system.format(text=system) if system else ""

    def _question(self, turn: Turn) -> str:
        context = turn.context.replace("\r\n", "\n").strip()
        context = self.context + context if context else ""
        return self.before + clean_prompt(turn.prompt) + context + self.between


_ALPACA = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n### Instruction:\n"
)

TEMPLATES = {
    # seed 000: the two words its class sheets use
    "teacher": Template("teacher", "用户:", "\n助手:", "\n", system="系统:{text}\n", answer_label="回答:"),
    # the same as the programs of seeds 000 and 001 have it: their tokenizer ends every prompt, in training and in use.
    # For models that were trained so; a new one learns nothing from it.
    "seed": Template("seed", "用户:", "\n助手:", "\n", system="系统:{text}\n", answer_label="回答:", closed=True),
    # the public Alpaca form: the input under its own heading, missing where there is none
    "alpaca": Template(
        "alpaca",
        _ALPACA,
        "\n\n### Response:\n",
        "\n\n",
        context="\n\n### Input:\n",
        answer_label="### Response:",
        bos=False,
    ),
    "plain": Template("plain", "", "", "\n", bos=False, endless=True),
}

_CJK = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_BLANK_BETWEEN_CJK = re.compile(f"(?<=[{_CJK}])[ \u3000]+(?=[{_CJK}])")
_QUESTION_MARK = re.compile(f"(?<=[{_CJK}])(?<!\u3000)[ \u3000]*\\?$")


def clean_prompt(text: str) -> str:
    """One form for what people type differently: outer blanks, blanks between Chinese characters (seed 000
    drops them too) and a half-width question mark after Chinese. Training and use both pass through here."""
    text = text.replace("\r\n", "\n").strip()
    # Looked for first: most prompts have neither, and the rules take 7 times as long to find that out.
    if text.endswith("?"):
        text = _QUESTION_MARK.sub("？", text)
    return _BLANK_BETWEEN_CJK.sub("", text) if " " in text or "\u3000" in text else text
