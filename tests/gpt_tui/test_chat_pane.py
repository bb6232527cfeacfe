"""The Chat tab: asking, stopping, asking again, options, safety of what is shown, and a real small model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Select

from core.errors import CheckpointError
from core.events import Started
from core.records import Turn
from gpt_tui import i18n
from gpt_tui.actions import APP_ACTIONS
from gpt_tui.chat.engine import Entry
from gpt_tui.chat.records import LIVE, Choice
from gpt_tui.history import Snapshot
from gpt_tui.messages import OpenInChat
from gpt_tui.panes.chat import ACTIONS, ChatPane
from gpt_tui.widgets.answer import ExchangeView
from gpt_tui.widgets.chat_options import OptionsPanel, Tick
from gpt_tui.widgets.chat_prompt import Prompt, SafeInput
from gpt_tui.zh import TEXTS

from .fake_chat import ChatApp, FakeChat, ask, opened, settled, until

RUN = Path("/runs/teacher-1")
Script = Callable[[ChatApp, Pilot[None]], Awaitable[None]]


@pytest.fixture(autouse=True)
def _own_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    i18n.set_language("en")


def engine(*entries: Entry) -> FakeChat:
    return FakeChat(*(entries or (Entry(RUN, ("last", "best", "int8", "step-00000300")),)))


def drive(
    chat: FakeChat | None, script: Script, size: tuple[int, int] = (80, 24), runs: Path = Path("/runs"),
    preset: Callable[[ChatPane], None] = lambda pane: None,
) -> ChatApp:  # fmt: skip
    app = ChatApp(chat, runs)
    preset(app.pane)

    async def main() -> None:
        async with app.run_test(size=size) as pilot:
            await opened(app, pilot)
            await script(app, pilot)

    asyncio.run(main())
    return app


# -- asking -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_an_answer_with_its_facts(size: tuple[int, int]) -> None:
    chat = engine()
    chat.answers = {"什么是注意力机制？": "注意力机制通过分配权重让模型关注关键位置。"}
    chat.ending = ("stop", "\n")

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        await ask(app, pilot, "什么是注意力机制？")
        text = app.screen_text()
        for words in ("❯ 什么是注意力机制？", "注意力机制通过分配权重", "tokens · 300 tok/s", "stopped at ⏎",
                      "last @ step 300", "✓ step 300 · fp32 · 3.4M · 13.6 MB"):  # fmt: skip
            assert words in text, words
        assert all(len(line) for line in text.splitlines())
        assert app.pane.dialogue.prompt.text == ""
        assert app.focused is app.pane.dialogue.prompt

    drive(chat, script, size)


def test_tokens_appear_as_they_come_and_one_can_stop() -> None:
    chat = engine()
    chat.hold = True

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        app.pane.dialogue.prompt.put("一二三四")
        await pilot.press("enter")
        chat.step(3)
        await until(pilot, lambda: "答：一▌" in app.screen_text())
        assert "… 3 tokens" in app.screen_text()
        await pilot.press("x", "enter")  # one question at a time; what is typed stays
        assert app.pane.dialogue.prompt.text == "x"
        assert len(app.query(ExchangeView)) == 1
        await pilot.press("escape")
        chat.step()
        await settled(app, pilot)
        assert "stopped by you" in app.screen_text()
        assert "▌" not in app.screen_text()
        assert app.pane.room.conversation.exchanges[0].answer.startswith("答：一")

    drive(chat, script)


def test_the_prompt_is_not_painted_while_an_answer_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the window in which Chinese is composed would jump."""
    chat = engine()
    chat.hold = True
    painted: list[int] = []
    render = Prompt.render_line

    def counted(self: Prompt, y: int) -> Strip:
        painted.append(y)
        return render(self, y)

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        app.pane.dialogue.prompt.put("一二三四五六七八九")
        await pilot.press("enter")
        await pilot.press("x")
        chat.step()
        await until(pilot, lambda: "答▌" in app.screen_text())
        monkeypatch.setattr(Prompt, "render_line", counted)
        caret = app.cursor_position
        for shown in ("答：▌", "答：一▌", "答：一二▌"):
            chat.step()
            await until(pilot, lambda shown=shown: shown in app.pane.query_one(ExchangeView).render().plain)  # type: ignore[misc]
            await pilot.pause(0.15)
        assert painted == []
        assert app.cursor_position == caret
        monkeypatch.setattr(Prompt, "render_line", render)
        chat.step(20)
        await settled(app, pilot)

    drive(chat, script)


def test_the_answering_thread_is_looked_at_by_a_timer_only() -> None:
    """Ten times a second at most, whatever the speed of the model; and not at all when nothing happens."""
    chat = engine()
    chat.answers = {"长": "字" * 3000}
    chat.hold = True
    looks: list[object] = []

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        timer, take = app.pane._timer, app.pane.room.take

        def counted() -> object:
            looks.append(take())
            return looks[-1]

        app.pane.dialogue.prompt.put("长")
        await pilot.press("enter")
        await until(pilot, lambda: app.pane.room.answerer.busy)
        timer.pause()
        await pilot.pause()
        app.pane.room.take = counted  # type: ignore[method-assign, assignment]
        chat.step(4000)
        await until(pilot, lambda: not app.pane.room.answerer.busy)
        await pilot.pause()
        assert looks == []
        timer.resume()
        await settled(app, pilot)
        assert looks
        assert not timer._active.is_set()

    app = drive(chat, script)
    assert app.pane._timer._interval == 0.1


def test_asking_again_replaces_the_last_answer() -> None:
    chat = engine()

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        await ask(app, pilot, "甲")
        await ask(app, pilot, "乙")
        chat.answers = {"乙": "另一个"}
        await pilot.press("ctrl+r")
        await settled(app, pilot)
        assert [e.answer for e in app.pane.room.conversation.exchanges] == ["答：甲", "另一个"]
        assert len(app.query(ExchangeView)) == 2

    drive(chat, script)


def test_an_earlier_question_is_edited_and_asked_in_its_place() -> None:
    chat = engine()

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        for text in ("甲", "乙", "丙"):
            await ask(app, pilot, text)
        prompt = app.pane.dialogue.prompt
        prompt.put("未完")
        await pilot.press("up", "up")
        assert prompt.text == "乙"
        assert "question 2 taken back" in app.screen_text()
        await pilot.press("down", "down")  # back to what was being typed
        assert prompt.text == "未完"
        assert "taken back" not in app.screen_text()
        await pilot.press("up", "escape")
        assert prompt.text == "未完"
        await pilot.press("up", "up", "x", "enter")
        await settled(app, pilot)
        assert [e.question for e in app.pane.room.conversation.exchanges] == ["甲", "乙x", "丙"]
        assert "答：乙x" in app.screen_text()

    drive(chat, script)


def test_several_turns_take_the_conversation_along() -> None:
    chat = engine()

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        await ask(app, pilot, "甲")
        await pilot.press("ctrl+l")
        await ask(app, pilot, "乙")
        await pilot.press("ctrl+n")
        await pilot.pause()
        assert "── new conversation ──" in app.screen_text()
        await ask(app, pilot, "丙")
        await pilot.press("ctrl+l")
        await ask(app, pilot, "丁")

    drive(chat, script)
    assert [question.history for _c, question in chat.asked] == [(), (Turn("甲", "答：甲"),), (), ()]


def test_copying_an_answer() -> None:
    chat = engine()

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+y")
        assert app.copied == []
        await ask(app, pilot, "甲")
        await ask(app, pilot, "乙")
        await pilot.press("ctrl+y")
        await pilot.click(app.query(ExchangeView).first())
        await pilot.press("ctrl+y")
        assert app.copied == ["答：乙", "答：甲"]

    drive(chat, script)


def test_the_token_view_and_back() -> None:
    chat = engine()

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        await ask(app, pilot, "甲")
        await pilot.press("ctrl+t")
        await pilot.pause()
        text = app.screen_text()
        assert "答 ： 甲" in text
        assert "token 1 of 3" in text
        assert "\\x1b" in text  # an alternative that would be obeyed by a terminal
        await pilot.press("right", "escape")
        assert app.focused is app.pane.dialogue.prompt
        assert "❯ 甲" in app.screen_text()

    drive(chat, script)


# -- which model ------------------------------------------------------------------------------------------------


def test_without_a_run_the_tab_says_what_to_do() -> None:
    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        assert "There is no trained run yet" in app.screen_text()
        app.pane.dialogue.prompt.put("喂")
        await pilot.press("enter")
        await pilot.pause()
        assert app.pane.dialogue.prompt.text == "喂"

    chat = FakeChat()
    drive(chat, script)
    assert chat.asked == []


def test_a_question_asked_before_the_runs_are_known_is_sent_then() -> None:
    chat = engine()

    async def main() -> None:
        app = ChatApp(chat, Path("/runs"))
        async with app.run_test(size=(80, 24)) as pilot:
            app.pane.dialogue.prompt.put("急")
            app.pane.dialogue.prompt.focus()
            await pilot.press("enter")
            assert chat.asked == []
            await opened(app, pilot)
            assert "答：急" in app.screen_text()

    asyncio.run(main())


def test_another_checkpoint_is_loaded_and_a_broken_one_says_why() -> None:
    chat = engine()
    chat.broken = {"best": CheckpointError("{path}: damaged", path="/runs/teacher-1/checkpoints/best")}

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        checkpoint = app.query_one("#model-a .checkpoint", Select)
        checkpoint.value = "int8"
        await settled(app, pilot)
        assert "✓ step 300 · int8 · 3.4M · 3.5 MB" in app.screen_text()
        checkpoint.value = "best"
        await settled(app, pilot)
        assert "✗ /runs/" in app.screen_text()
        await ask(app, pilot, "问")
        assert "✗ /runs/teacher-1/checkpoints/best: damaged" in app.screen_text()
        assert app.pane.room.conversation.exchanges[-1].error

    drive(chat, script)


def test_a_typed_path(tmp_path: Path) -> None:
    chat = engine()
    run = tmp_path / "elsewhere"
    run.mkdir()
    (run / "config.yaml").write_text("recipe: teacher")

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        checkpoint = app.query_one("#model-a .checkpoint", Select)
        checkpoint.value = "\0path"
        await pilot.pause()
        line = app.query_one("#model-a SafeInput", SafeInput)
        assert app.focused is line
        line.value = str(run)
        await pilot.press("enter")
        await settled(app, pilot)
        assert app.pane.room.choice == Choice(run, "last")
        assert "elsewhere" in app.screen_text()
        assert not line.display

    drive(chat, script)


def test_live_weights_while_a_training_runs() -> None:
    chat = engine()

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        app.pane.room.offer(chat.entries, RUN)
        app.post_message(OpenInChat(Path("/nobody")))  # not for the pane
        app.pane.post_message(OpenInChat(RUN))
        await pilot.pause()
        await settled(app, pilot)
        assert app.pane.room.choice == Choice(RUN, LIVE)
        assert "in memory" in app.screen_text()
        app.pane.post_message(OpenInChat(RUN, "best"))
        await pilot.pause()
        await settled(app, pilot)
        assert app.pane.room.choice == Choice(RUN, "best")

    drive(chat, script)


def test_the_training_of_this_app_is_asked_live_before_runs_were_listed() -> None:
    chat = engine()

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        begin = Started("tiny", str(RUN), "tiny", 0, "cpu", 1, "fp32", 1, 1, 9, None, {}, 0.0)
        own = Snapshot(state="running", started=begin, run_path=RUN)
        app.pane.desk.session.snapshot = lambda: own  # type: ignore[method-assign]
        app.pane.room.live_run = None
        app.pane.post_message(OpenInChat(RUN))
        await pilot.pause()
        assert app.pane.room.choice == Choice(RUN, LIVE)

    drive(chat, script)


def test_another_run_has_its_own_conversation() -> None:
    other = Path("/runs/reader-1")
    chat = engine(Entry(RUN, ("last",)), Entry(other, ("last",)))

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        await ask(app, pilot, "甲")
        app.query_one("#model-a .run", Select).value = str(other)
        await settled(app, pilot)
        assert "❯ 甲" not in app.screen_text()
        app.query_one("#model-a .run", Select).value = str(RUN)
        await settled(app, pilot)
        assert "❯ 甲" in app.screen_text()

    drive(chat, script)


def test_what_was_said_is_kept_and_can_be_deleted() -> None:
    async def say(app: ChatApp, pilot: Pilot[None]) -> None:
        await ask(app, pilot, "记住我")

    async def look(app: ChatApp, pilot: Pilot[None]) -> None:
        assert "❯ 记住我" in app.screen_text()
        assert "── new conversation ──" in app.screen_text()
        await app.pane.run_action("forget")
        assert "❯ 记住我" in app.screen_text()  # asked once: nothing yet
        await app.pane.run_action("forget")
        await pilot.pause()
        assert "❯ 记住我" not in app.screen_text()

    async def gone(app: ChatApp, pilot: Pilot[None]) -> None:
        assert "记住我" not in app.screen_text()

    for script in (say, look, gone):
        drive(engine(), script)


# -- options ----------------------------------------------------------------------------------------------------


def test_options_stand_beside_a_wide_screen_and_behind_a_key_on_a_small_one() -> None:
    async def small(app: ChatApp, pilot: Pilot[None]) -> None:
        panel = app.query_one(OptionsPanel)
        assert not panel.display
        assert "T 0.5 · ≤ 100 · stop ⏎ 用户: · each question alone" in app.screen_text()
        await pilot.press("ctrl+o")
        assert panel.display
        await pilot.pause()
        assert "repetition" in app.screen_text()
        assert panel.region.right <= 80
        await pilot.press("down", "down", "up")
        assert app.focused is app.query_one("#option-top_k")
        app.query_one(Tick).focus()
        assert "[ ] with history" in app.screen_text()
        await pilot.press("space")
        await pilot.pause()
        assert "[x] with history" in app.screen_text()
        assert app.pane.room.options.with_history
        await pilot.click(Tick)
        assert not app.pane.room.options.with_history
        await pilot.press("ctrl+o")
        assert app.focused is app.pane.dialogue.prompt

    async def wide(app: ChatApp, pilot: Pilot[None]) -> None:
        assert app.query_one(OptionsPanel).display

    drive(engine(), small)
    drive(engine(), wide, (120, 40))


def test_options_are_checked_as_one_types_and_used() -> None:
    chat = engine()

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        field = app.query_one("#option-temperature", SafeInput)
        assert field.value == "0.5"  # the recipe's
        field.focus()
        await pilot.pause()
        field.value = "9"  # on the way to 99
        await pilot.pause()
        field.value = "99"
        await pilot.pause()
        assert "✗" in app.screen_text()
        app.query_one("#option-top_k", SafeInput).focus()
        await pilot.pause()
        assert field.value == "0.5"  # what is wrong does not hold
        app.query_one("#option-top_k", SafeInput).value = "40"
        app.query_one("#option-seed", SafeInput).value = "7"
        await pilot.press("ctrl+s")
        await ask_from(app, pilot, "问")

    async def ask_from(app: ChatApp, pilot: Pilot[None], text: str) -> None:
        app.pane.dialogue.prompt.focus()
        await ask(app, pilot, text)

    drive(chat, script, (120, 40))
    _choice, question = chat.asked[-1]
    assert question.sampling is not None
    assert (question.sampling.temperature, question.sampling.top_k, question.seed) == (0.5, 40, 7)
    assert question.sampling.stop == ["\n", "用户:", "。", "；"]


# -- what is shown ----------------------------------------------------------------------------------------------


def test_nothing_that_is_said_can_break_the_screen() -> None:
    chat = engine(Entry(Path("/runs/[red]x\x1b[2J"), ("last",)))
    nasty = "[bold]a[/] \x1b]52;c;x\x07 \u202eabc \x9b2J 中文[/nonsense]"
    chat.answers = {nasty: nasty, "再": "x" * 400 + "汉" * 200}
    chat.ending = ("stop", "[/x]\x1b")

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        app.pane.room.options = app.pane.room.options.with_stops(("[/b]\x1b",))
        app.pane._show_options()
        app.pane.room.ask(nasty)
        await app.pane.dialogue.show_talk()
        app.pane._wake()
        await settled(app, pilot)
        text = app.screen_text()
        assert "[bold]a[/]" in text
        assert "中文[/nonsense]" in text
        await ask(app, pilot, "再")
        await pilot.press("ctrl+t")
        await pilot.pause()
        for shown in (text, app.screen_text()):
            assert not any((ord(char) < 32 and char != "\n") or 0x7F <= ord(char) < 0xA0 for char in shown)
            assert "\u202e" not in shown

    drive(chat, script)


def test_pasted_text_is_made_safe() -> None:
    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        prompt = app.pane.dialogue.prompt
        app.post_message(events.Paste("一\x1b[2J\r\n二\u202e"))
        await pilot.pause()
        assert prompt.text == "一\\x1b[2J\n二\\u202e"
        await pilot.press("ctrl+j", "x")
        assert prompt.text.endswith("\\u202e\nx")
        field = app.query_one("#option-seed", SafeInput)
        app.pane._panel = "on"
        app.pane._show_options()
        field.value = ""
        field.focus()
        await pilot.pause()
        app.post_message(events.Paste("1\x1b2\n3"))
        await pilot.pause()
        assert field.value == "1\\x1b2"

    drive(engine(), script)


def test_the_language_can_change_in_the_middle() -> None:
    chat = engine()

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        await ask(app, pilot, "甲")
        app.pane.dialogue.prompt.put("没写完")
        chat.hold = True
        app.pane.room.ask("乙")
        app.pane._wake()
        i18n.set_language("zh")
        await app.pane.retranslate()
        await pilot.pause()
        assert app.pane.dialogue.prompt.text == "没写完"
        assert app.focused is app.pane.dialogue.prompt
        assert "个词元" in app.screen_text()
        assert "模型自行结束" in app.screen_text()
        chat.step(9)
        await settled(app, pilot)
        assert "答：乙" in app.screen_text()

    drive(chat, script)


@pytest.mark.parametrize("theme", ["textual-light", "ansi-dark"])
def test_another_theme_repaints_what_is_there(theme: str) -> None:
    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        await ask(app, pilot, "甲")
        view = app.query_one(ExchangeView)
        before = view.render_line(0)
        app.theme = theme
        await pilot.pause()
        await pilot.pause()
        assert view.render_line(0) != before

    drive(engine(), script)


# -- the table of actions ---------------------------------------------------------------------------------------


def test_every_action_has_its_method_its_chinese_and_a_key_of_its_own() -> None:
    own = [key for action in ACTIONS for key in action.key.split(",") if key]
    taken = {key for action in APP_ACTIONS for key in action.key.split(",") if key}
    assert len(own) == len(set(own))
    assert not taken & set(own)
    for action in ACTIONS:
        assert hasattr(ChatPane, f"action_{action.id}")
        assert action.label in TEXTS
        assert action.help in TEXTS


def test_what_is_not_possible_is_greyed() -> None:
    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        possible = {action.id: app.pane.check_action(action.id, ()) for action in ACTIONS}
        assert {name for name, yes in possible.items() if yes is None} == {
            "again", "edit", "copy", "tokens", "new", "forget",
        }  # fmt: skip
        await ask(app, pilot, "甲")
        assert all(app.pane.check_action(action.id, ()) for action in ACTIONS)

    drive(engine(), script)


# -- the real thing ---------------------------------------------------------------------------------------------


def test_a_real_small_model_answers(tmp_path: Path) -> None:
    """From a checkpoint on disk to the tokens on the screen, with the random state of others left alone."""
    import torch

    from core import checkpoint
    from core.config import Config
    from core.model import GPT
    from core.quantize import quantize_weights
    from core.runs import Run
    from core.tokenizer import train_bpe

    config = Config().update({
        "model.n_layer": 1, "model.n_head": 2, "model.n_embd": 16, "model.seq_len": 64, "sampling.max_new_tokens": 12,
        "sampling.min_new_tokens": 8, "sampling.stop": ["用户:"],
    })  # fmt: skip
    tokenizer = train_bpe(iter(["用户:你好\n助手:你好，我是助手。"] * 5), 300)
    model = GPT(config.model, tokenizer.vocab_size).init_weights(1)
    run = Run(tmp_path / "runs" / "tiny")
    run.create(config)
    state, weights = {"step": 5, "config": config.to_dict()}, model.state_dict()
    checkpoint.save(checkpoint.step_folder(run.checkpoints, 5), state, tokenizer.to_json(), weights)
    checkpoint.save(run.checkpoints / "int8", state, tokenizer.to_json(), quantize_weights(model, weights))

    def preset(pane: ChatPane) -> None:
        """As ``gpt-tui chat --temperature 1.3 --seed 7`` does."""
        pane.preset(lambda config: config.sampling.model_copy(update={"temperature": 1.3}), 7)

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        assert "✓ step 5 · fp32" in app.screen_text()
        assert "T 1.3 · seed 7 · ≤ 12" in app.screen_text()
        await ask(app, pilot, "你好")
        exchange = app.pane.room.conversation.exchanges[0]
        assert exchange.error == ""
        assert exchange.tokens >= 8
        assert exchange.reason in ("end", "stop", "length")
        assert all(len(piece.top) == 10 for piece in exchange.pieces if piece.text)
        await pilot.press("ctrl+b")
        await settled(app, pilot)
        await ask(app, pilot, "你好")
        assert app.pane.room.pairs[0].over
        facts = [side.exchange.facts for side in app.pane.room.pairs[0].sides]
        assert [fact.number_format for fact in facts if fact] == ["fp32", "int8"]
        assert facts[0] is not None
        assert facts[1] is not None
        assert 0 < facts[1].bytes < facts[0].bytes

    torch.manual_seed(3)
    before = torch.get_rng_state()
    drive(None, script, runs=tmp_path / "runs", preset=preset)
    assert torch.equal(before, torch.get_rng_state())  # a training beside it draws its dropout from there


def test_escape_twice_stays_out_of_the_prompt_and_enter_goes_back() -> None:
    """Pressed once more for safety it led back in, and the number of a tab was typed as a question."""

    async def script(app: ChatApp, pilot: Pilot[None]) -> None:
        prompt = app.pane.dialogue.prompt
        prompt.focus()
        await pilot.pause()
        await pilot.press("escape", "escape")
        assert app.pane.has_focus
        await pilot.press("2")
        assert prompt.text == ""
        await pilot.press("enter")
        assert prompt.has_focus

    drive(engine(), script)
