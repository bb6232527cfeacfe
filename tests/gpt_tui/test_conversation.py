"""Asking without the screen: conversations, history on disk, options, the answering thread, the room."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UserError
from core.records import Turn
from core.schema import SamplingConfig
from gpt_tui.chat import history as history_module
from gpt_tui.chat.answerer import Answerer, Reply
from gpt_tui.chat.conversation import MOST_SHOWN, MOST_WITH_TOKENS, Conversation, Exchange
from gpt_tui.chat.engine import Entry
from gpt_tui.chat.history import History, chats_folder
from gpt_tui.chat.options import (
    FIELDS,
    SENTENCE_STOPS,
    Options,
    help_of,
    stop_from_edit,
    stop_label,
    stop_to_edit,
    toggled,
)
from gpt_tui.chat.records import LIVE, Choice, Ending, Facts, Question, choice_of_path
from gpt_tui.chat.room import Room
from gpt_tui.widgets.chat_actions import Twice

from .fake_chat import FakeChat, pieces_of

RUN = Path("/runs/teacher-1")
LAST = Choice(RUN, "last")


def answered(question: str, answer: str) -> Exchange:
    return Exchange(question, answer, reason="end")


def wait_for(reply: Reply) -> Reply:
    end = time.monotonic() + 10
    while not reply.over:
        assert time.monotonic() < end
        time.sleep(0.002)
    return reply


# -- conversations ----------------------------------------------------------------------------------------------


def test_a_question_takes_along_what_was_answered_in_this_conversation() -> None:
    conversation = Conversation([answered("昨天", "旧")])
    assert conversation.context(conversation.ask("今天")) == ()
    conversation.exchanges[-1].answer = "好"
    failed = conversation.ask("坏")
    failed.error = "no"
    assert conversation.context(conversation.ask("再问")) == (Turn("今天", "好"),)
    conversation.start_over()
    assert conversation.context(conversation.ask("新的")) == ()


def test_asking_again_drops_what_followed_only_with_history() -> None:
    def three() -> Conversation:
        conversation = Conversation()
        for name in "abc":
            conversation.ask(name).answer = name.upper()
        return conversation

    alone = three()
    fresh = alone.ask_again(0, "x", with_history=False)
    assert [e.question for e in alone.exchanges] == ["x", "b", "c"]
    assert alone.context(fresh) == ()
    together = three()
    fresh = together.ask_again(1, "x", with_history=True)
    assert [e.question for e in together.exchanges] == ["a", "x"]
    assert together.context(fresh) == (Turn("a", "A"),)


def test_asking_an_earlier_session_again_makes_it_part_of_this_conversation() -> None:
    conversation = Conversation([answered("a", "A"), answered("b", "B")])
    conversation.ask_again(1, "x", with_history=True)
    assert conversation.begin == 1


def test_screen_and_memory_are_bounded() -> None:
    conversation = Conversation()
    for i in range(MOST_SHOWN + 30):
        conversation.ask(str(i)).pieces = pieces_of("ab")
    assert len(conversation.exchanges) == MOST_SHOWN
    assert conversation.begin == 0
    assert sum(bool(exchange.pieces) for exchange in conversation.exchanges) <= MOST_WITH_TOKENS


# -- history ----------------------------------------------------------------------------------------------------


def test_history_comes_back_as_it_was(tmp_path: Path) -> None:
    log = History(RUN, tmp_path)
    assert log.read(10) == []
    kept = Exchange("问\u2028[b]\x1b", "答\n二", "best", 300, "stop", "用户:", 7, 321.5, 9, 1_700_000_000.0)
    log.add(kept)
    (back,) = log.read(10)
    assert back.earlier
    back.earlier = False
    assert back == kept


def test_history_is_private_and_by_path(tmp_path: Path) -> None:
    log = History(RUN, tmp_path / "chats")
    log.add(answered("a", "b"))
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700
    assert History(Path("/elsewhere/teacher-1"), tmp_path / "chats").read(5) == []
    log.clear()
    log.clear()
    assert log.read(5) == []


def test_damage_costs_only_its_line(tmp_path: Path) -> None:
    log = History(RUN, tmp_path)
    log.add(answered("a", "A"))
    with open(log.path, "ab") as file:
        file.write(b'{"question": \n[1]\n{"question": 3}\n\xff\xfe\n{"question": "x", "tokens": "many"}\n')
    log.add(answered("b", "B"))
    assert [e.question for e in log.read(10)] == ["a", "x", "b"]
    assert [e.question for e in log.read(1)] == ["b"]


def test_history_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "MAX_BYTES", 4000)
    log = History(RUN, tmp_path)
    for i in range(200):
        log.add(answered(f"问题{i}", "答" * 10))
        assert log.path.stat().st_size <= 4000 + 500
    assert log.read(100)[-1].question == "问题199"
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_a_very_long_answer_is_kept_shortened(tmp_path: Path) -> None:
    log = History(RUN, tmp_path)
    log.add(answered("长", "字" * 100_000))
    assert len(log.read(1)[0].answer) <= history_module.MAX_TEXT


def test_history_that_cannot_be_written_says_so_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "chats").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="history cannot be written") as caught:
        History(RUN, tmp_path / "chats").add(answered("a", "b"))
    assert "\n" not in str(caught.value)


def test_history_lives_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert chats_folder() == tmp_path / "gpt-tui" / "chats"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert chats_folder() == Path.home() / ".local" / "share" / "gpt-tui" / "chats"


# -- options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("temperature", "0.7", 0.7), ("temperature", " 1 ", 1.0), ("temperature", "０.５", 0.5), ("top_k", "40", 40),
        ("top_k", "", None), ("top_p", "0.9", 0.9), ("max_new_tokens", "12", 12), ("min_new_tokens", "100", 100),
        ("repetition_penalty", "1.2", 1.2),
    ],
)  # fmt: skip
def test_fields_take_what_the_schema_allows(name: str, text: str, value: float | None) -> None:
    options = Options().changed(name, text)
    assert getattr(options.sampling, name) == value
    assert Options().changed(name, options.text(name)) == options


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("temperature", ""), ("temperature", "warm"), ("temperature", "-1"), ("temperature", "11"),
        ("temperature", "nan"), ("temperature", "inf"), ("top_k", "0"), ("top_k", "1.5"), ("top_p", "0"),
        ("top_p", "1.1"), ("repetition_penalty", "0"), ("max_new_tokens", ""), ("max_new_tokens", "0"),
        ("min_new_tokens", "101"), ("seed", "-1"), ("seed", "x"), ("seed", "9" * 30),
    ],
)  # fmt: skip
def test_fields_refuse_the_rest_in_one_line(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        Options().changed(name, text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 70


def test_most_is_not_below_least() -> None:
    options = Options().changed("min_new_tokens", "20")
    with pytest.raises(ValueError, match="20"):
        options.changed("max_new_tokens", "10")


def test_every_field_has_help_and_the_summary_says_what_matters() -> None:
    assert all(help_of(name) for name, _label in FIELDS)
    assert Options().changed("seed", "").seed is None
    options = Options().changed("temperature", "0.8").changed("top_k", "40").changed("seed", "3")
    assert options.summary() == "T 0.8 · top-k 40 · seed 3 · ≤ 100 · stop ⏎ 用户: · each question alone"


@given(st.text(max_size=20))
def test_stop_strings_survive_editing(stop: str) -> None:
    if "⏎" in stop or "⇥" in stop:
        return
    assert stop_from_edit(stop_to_edit(stop)) == stop
    assert "\n" not in stop_to_edit(stop)
    assert "\x1b" not in stop_label(stop)


def test_a_stop_string_is_visible() -> None:
    assert [stop_label(stop) for stop in ("  ", "\n", " a", "\u3000")] == ["␣␣", "⏎", " a", "␣"]


def test_stop_strings_as_typed() -> None:
    assert stop_from_edit(r"\n\n") == "\n\n"
    assert stop_from_edit("⏎") == "\n"
    assert stop_from_edit("a\\") == "a\\"
    assert toggled(("\n",), SENTENCE_STOPS) == ("\n", "。", "；")
    assert toggled(("。", "\n"), SENTENCE_STOPS) == ("。", "\n", "；")
    assert toggled(("。", "\n", "；"), SENTENCE_STOPS) == ("\n",)


def test_a_path_is_a_run_or_a_checkpoint(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "r"
    (run / "checkpoints" / "best").mkdir(parents=True)
    (run / "config.yaml").write_text("recipe: teacher")
    assert choice_of_path(f" {run} ") == Choice(run, "last")
    assert choice_of_path(str(run / "checkpoints" / "best")) == Choice(run, str(run / "checkpoints" / "best"))
    assert choice_of_path(str(tmp_path / "else")) == Choice(None, str(tmp_path / "else"))
    assert Choice(run, "best").name == "r · best"
    assert Choice(None, "/x/step-1").name == "step-1"


# -- the answering thread ---------------------------------------------------------------------------------------


def test_an_answer_comes_token_by_token() -> None:
    engine = FakeChat()
    engine.hold = True
    answerer = Answerer(engine)
    reply = answerer.ask(LAST, Question("好"))
    engine.step(2)
    while len(reply.pieces) < 2:
        time.sleep(0.002)
    assert reply.state == "answering"
    assert reply.text == "答："
    assert answerer.answering
    engine.step(9)
    assert wait_for(reply).state == "done"
    assert reply.ending == Ending("答：好", "end", "", 3, 300.0)
    assert not answerer.busy
    answerer.close()


def test_stopping_keeps_what_has_come_and_drops_what_waits() -> None:
    engine = FakeChat()
    engine.hold = True
    answerer = Answerer(engine)
    first, second = answerer.ask(LAST, Question("一二三")), answerer.ask(LAST, Question("四"))
    engine.step(2)
    while len(first.pieces) < 2:
        time.sleep(0.002)
    answerer.stop()
    engine.step(5)
    assert wait_for(first).state == wait_for(second).state == "stopped"
    assert first.ending is not None
    assert first.ending.reason == "user"
    assert first.text == "答：一"
    assert second.text == ""
    assert engine.closed == 1  # the generator was closed, not left behind
    answerer.close()


def test_failures_are_one_line_and_the_thread_lives_on() -> None:
    engine = FakeChat()
    engine.broken = {"best": RuntimeError("first line\nsecond line\x1b[2J"), "gone": MemoryError()}
    answerer = Answerer(engine)
    for checkpoint, text in (("best", "RuntimeError: first line"), ("gone", "MemoryError")):
        reply = wait_for(answerer.ask(Choice(RUN, checkpoint), Question("?")))
        assert reply.state == "failed"
        assert reply.error.startswith(text)
        assert "\n" not in reply.error
        assert "\x1b" not in reply.error
    reply = wait_for(answerer.ask(Choice(None, "/nowhere"), None))
    assert reply.error == "/nowhere: no such checkpoint"
    assert wait_for(answerer.ask(LAST, Question("?"))).state == "done"
    answerer.close()


def test_models_are_loaded_once_until_their_checkpoint_changes() -> None:
    engine = FakeChat()
    answerer = Answerer(engine)
    best, int8 = Choice(RUN, "best"), Choice(RUN, "int8")
    for choice in (LAST, int8, LAST, int8):
        wait_for(answerer.ask(choice, Question("?")))
    assert engine.loads == [LAST, int8]
    engine.marks[LAST] = 2
    wait_for(answerer.ask(LAST, Question("?")))
    assert engine.loads == [LAST, int8, LAST]
    wait_for(answerer.ask(best, None))  # a third one: only two are kept
    assert len(answerer._models) == 2
    live = Choice(RUN, LIVE)
    for _ in range(2):  # live weights are others each time
        wait_for(answerer.ask(live, Question("?")))
    assert engine.loads[-2:] == [live, live]
    answerer.close()


def test_closing_ends_the_thread_even_in_an_answer() -> None:
    engine = FakeChat()
    engine.hold = True
    answerer = Answerer(engine)
    reply = answerer.ask(LAST, Question("一二三"))
    while reply.state != "answering":
        time.sleep(0.002)
    threading.Timer(0.05, engine.step, [9]).start()
    answerer.close()
    assert reply.over
    assert not any(thread.name == "chat" for thread in threading.enumerate())


# -- the room ---------------------------------------------------------------------------------------------------


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(FakeChat(), lambda run: History(run, tmp_path))
    yield room
    room.close()


def finish(room: Room) -> None:
    end = time.monotonic() + 10
    while room.answerer.busy:
        assert time.monotonic() < end
        time.sleep(0.002)
    room.take()


def test_the_room_chooses_the_training_or_the_newest_run(room: Room) -> None:
    empty, old = Entry(Path("/runs/new"), ()), Entry(RUN, ("last", "best", "int8"))
    room.offer([empty, old], None)
    assert room.choice == LAST
    room.suggest_other()
    assert room.other == Choice(RUN, "int8")


def test_live_weights_give_way_to_the_checkpoint_when_the_training_ends(room: Room) -> None:
    entry = Entry(RUN, ("last",))
    room.offer([entry], RUN)
    assert room.choice == Choice(RUN, LIVE)
    room.offer([entry], None)
    assert room.choice == LAST


def test_the_recipes_options_hold_until_others_are_set(room: Room) -> None:
    room.offer([Entry(RUN, ("last",))], None)
    assert not room.options_known
    exchange = room.ask("立刻")  # before the model is loaded: it is asked as its run has it
    finish(room)
    assert exchange.answer == "答：立刻"
    assert room.engine.asked[-1][1].sampling is None  # type: ignore[attr-defined]
    assert room.options.sampling.temperature == 0.5
    assert room.options.sampling.stop == ["\n", "用户:"]
    room.options = room.options.with_stops(("。",)).changed("seed", "5")
    room.ask("再")
    finish(room)
    question = room.engine.asked[-1][1]  # type: ignore[attr-defined]
    assert isinstance(question.sampling, SamplingConfig)
    assert question.sampling.stop == ["。"]
    assert question.seed == 5


def test_history_goes_along_only_when_wanted(room: Room) -> None:
    room.choose(LAST)
    finish(room)
    room.ask("一")
    finish(room)
    room.ask("二")
    finish(room)
    room.options = Options(room.options.sampling, None, with_history=True)
    third = room.ask("三")
    finish(room)
    sent = [question.history for _choice, question in room.engine.asked]  # type: ignore[attr-defined]
    assert sent == [(), (), (Turn("一", "答：一"), Turn("二", "答：二"))]
    assert third.with_history


def test_what_was_said_is_there_again_next_time(room: Room, tmp_path: Path) -> None:
    room.choose(LAST)
    room.ask("记住")
    finish(room)
    later = Room(FakeChat(), lambda run: History(run, tmp_path))
    later.choose(LAST)
    (exchange,) = later.conversation.exchanges
    assert (exchange.question, exchange.answer, exchange.checkpoint, exchange.step) == ("记住", "答：记住", "last", 300)
    assert later.conversation.context(later.ask("新")) == ()
    later.forget()
    finish(later)
    assert later.conversation.exchanges == []
    later.close()


def test_comparing_asks_one_after_the_other_and_without_history(room: Room) -> None:
    room.choose(LAST)
    room.choose_other(Choice(RUN, "int8"))
    finish(room)
    room.options = Options(room.options.sampling, 3, with_history=True)
    pair = room.compare("问")
    finish(room)
    assert [choice.checkpoint for choice, _q in room.engine.asked] == ["last", "int8"]  # type: ignore[attr-defined]
    assert all(q.history == () and q.seed == 3 for _choice, q in room.engine.asked)  # type: ignore[attr-defined]
    assert pair.over
    assert [side.exchange.facts.number_format for side in pair.sides if side.exchange.facts] == ["fp32", "int8"]


def test_the_top_line_is_about_the_model_that_answered_last(room: Room) -> None:
    """A training in another process has written a newer checkpoint since this one was looked at."""
    room.choose(LAST)
    finish(room)
    assert room.looks[LAST].facts == Facts(300, "fp32", 3_400_000, 13_600_000)
    engine = room.engine
    assert isinstance(engine, FakeChat)
    engine.marks[LAST] = 2
    exchange = room.ask("问")
    finish(room)
    assert exchange.step == 600
    assert room.looks[LAST].facts == exchange.facts


def test_a_full_disk_costs_the_history_not_the_answer(tmp_path: Path) -> None:
    (tmp_path / "chats").write_text("in the way")
    room = Room(FakeChat(), lambda run: History(run, tmp_path / "chats"))
    room.choose(LAST)
    exchange = room.ask("问")
    finish(room)
    assert exchange.answer == "答：问"
    assert exchange.error == ""
    assert "history cannot be written" in room.take_warning()
    assert room.take_warning() == ""
    room.close()


def test_the_history_file_is_plain_json_lines(room: Room, tmp_path: Path) -> None:
    room.choose(LAST)
    room.ask("问")
    finish(room)
    (name,) = os.listdir(tmp_path)
    values = json.loads((tmp_path / name).read_text())
    assert values["question"] == "问"
    assert values["reason"] == "end"


def test_what_cannot_be_undone_is_asked_for_twice_within_ten_seconds() -> None:
    now = 100.0
    twice = Twice(lambda: now)
    assert not twice.sure()
    now += 9.0
    assert twice.sure()
    assert not twice.sure(), "the next time begins anew"
    now += 11.0
    assert not twice.sure()
