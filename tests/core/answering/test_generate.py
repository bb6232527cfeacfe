"""What is shown of what a model says: streaming, stop strings, lengths, many rows at once."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core import generate as module
from core.answer_text import LEADING, AnswerText
from core.generate import (
    Answer,
    Token,
    answer,
    answer_batch,
    forbidden_tokens,
    generate,
    prompt_room,
    stream,
)
from core.model import GPT
from core.records import Turn
from core.runs import LoadedModel
from core.schema import SamplingConfig
from core.tokenizer import Tokenizer

Make = Callable[..., GPT]


def config(**settings: Any) -> SamplingConfig:
    return SamplingConfig.model_validate({"min_new_tokens": 1, "stop": [], **settings})


def run(model: GPT, tokenizer: Tokenizer, settings: SamplingConfig, **more: Any) -> tuple[list[Token], Answer]:
    """All that ``stream`` gives after ``<bos>``, its promises about the parts and the whole checked."""
    *tokens, end = stream(model, tokenizer, [tokenizer.bos], settings, **more)
    assert isinstance(end, Answer)
    assert all(isinstance(token, Token) for token in tokens)
    shown = "".join(token.shown for token in tokens if isinstance(token, Token))
    assert (shown.rstrip() if settings.trim_leading else shown) == end.text
    assert len([token for token in tokens if isinstance(token, Token) and token.id >= 0]) == end.tokens
    return [token for token in tokens if isinstance(token, Token)], end


def ids(tokenizer: Tokenizer, text: str, *, pieces: bool = False) -> list[int]:
    """The tokens of a text; ``pieces``: one for each byte."""
    if not pieces:
        return tokenizer.encode(text)
    by_byte = {tokenizer.token_bytes(i): i for i in range(tokenizer.vocab_size)}
    return [by_byte[bytes([byte])] for byte in text.encode()]


# -- AnswerText: the visible part -----------------------------------------------------------------------------


def pushed(tokenizer: Tokenizer, tokens: list[int], stops: list[str], trim: bool) -> tuple[list[str], AnswerText]:
    """The pieces shown for tokens fed one by one until a stop, and the finished ``AnswerText``."""
    text = AnswerText(tokenizer, stops, trim)
    shown: list[str] = []
    for token in tokens:
        shown.append(text.push(token))
        if text.stopped:
            break
    shown.append(text.finish())
    assert "".join(shown) == text.text
    return shown, text


def by_definition(text: str, stops: list[str], trim: bool) -> tuple[str, str]:
    """The answer in a text and what stopped it, character by character and without any holding back."""
    so_far = ""
    for char in text:
        so_far += char
        if trim:
            held = any(stop.startswith(so_far) for stop in stops)
            so_far = so_far if held else so_far.lstrip(LEADING)
        ends = sorted((stop for stop in stops if so_far.endswith(stop)), key=len)
        if ends:
            rest = so_far.removesuffix(ends[-1])
            if rest.strip():
                return rest, ends[-1]
            so_far = rest
    return so_far.lstrip(LEADING) if trim else so_far, ""


@pytest.mark.parametrize("pieces", [False, True], ids=["words", "bytes"])
@pytest.mark.parametrize(
    ("text", "stops", "answer", "stop"),
    [
        ("鱼\n用户:再来", ["\n"], "鱼", "\n"),
        ("水。用户:你好", ["用户:"], "水。", "用户:"),  # inside one token of ``words``
        ("hello world", ["o w"], "hell", "o w"),  # from the middle of a token to the middle of the next
        ("abcdef", ["cd", "cde"], "ab", "cd"),  # one is the beginning of the other
        ("abcdef", ["cde", "cd"], "ab", "cd"),
        ("abcdef", ["d", "bcd"], "a", "bcd"),  # complete at the same character: the longer
        ("abcdef", ["e", "bcdef"], "abcd", "e"),  # the first that is complete, not the first that begins
        ("hello", ["ello", "ll"], "he", "ll"),  # also inside one token
        ("aaab", ["aab"], "a", "aab"),  # a false start overlaps the real one
        ("用户", ["用户:"], "用户", ""),  # the end comes while it is held back
        ("水用户", ["用户:"], "水用户", ""),
        ("水用户们", ["用户:"], "水用户们", ""),
        ("鱼", ["鱼鱼"], "鱼", ""),
        ("水", [], "水", ""),
        ("水", [""], "水", ""),
        ("\n\n水\n", ["\n"], "水", "\n"),  # at the start
        ("用户:水用户:", ["用户:"], "水", "用户:"),
        ("用户:用户:水", ["用户:", "\n"], "水", ""),
        ("，用户:。水", ["用户:"], "水", ""),
        ("aab", ["a"], "b", ""),
        ("abc", ["ab", "b"], "c", ""),
        ("x\n", ["\n", "x"], "", ""),
        ("END 1", ["END"], "1", ""),
    ],
)
def test_stop_strings(
    words: Tokenizer, single: Tokenizer, pieces: bool, text: str, stops: list[str], answer: str, stop: str
) -> None:
    tokenizer = single if pieces else words
    _, found = pushed(tokenizer, ids(tokenizer, text), stops, trim=True)
    assert (found.text, found.stopped) == (answer, stop)
    assert (found.text, found.stopped) == by_definition(text, stops, True)


def test_a_stop_string_inside_one_token_is_inside_one_token(words: Tokenizer) -> None:
    """What the cases above rely on."""
    assert [words.token_text(i) for i in words.encode("水。用户:你好")] != list("水。用户:你好")
    token = next(i for i in range(words.vocab_size) if words.token_text(i) == "hello")
    shown, found = pushed(words, [token], ["ll"], trim=True)
    assert (shown, found.stopped) == (["he", ""], "ll")


def test_what_may_become_a_stop_string_is_held_back_just_so_long(single: Tokenizer) -> None:
    shown, _ = pushed(single, ids(single, "ab用户们cd"), ["用户:", "cde"], trim=True)
    assert [piece for piece in shown if piece] == ["a", "b", "用户们", "cd"]
    shown, found = pushed(single, ids(single, "xENENDING"), ["END"], trim=True)
    assert [piece for piece in shown if piece] == ["x", "EN"]
    assert found.stopped == "END"


def test_nothing_of_a_stop_string_is_ever_shown(single: Tokenizer) -> None:
    shown, _ = pushed(single, ids(single, "答案<|im_end|>more"), ["<|im_end|>"], trim=True)
    assert "".join(shown) == "答案"
    assert not any("<" in piece for piece in shown)


pieces_of_text = st.lists(
    st.sampled_from(["a", "b", "ab", "用", "用户:", "户", "\n", " ", "。", "END", "E", "N", "鲸🐋", "hello"]),
    max_size=12,
).map("".join)
stop_lists = st.lists(
    st.sampled_from(["\n", "用户:", "ab", "b", "aba", "END", "N", "鲸", "bEN", "户:a", "ello", "ll"]), max_size=4
)


@given(pieces_of_text, stop_lists)
def test_the_answer_does_not_depend_on_how_text_is_cut_into_tokens(text: str, stops: list[str]) -> None:
    expected = by_definition(text, stops, True)
    for tokenizer in TOKENIZERS:
        shown, found = pushed(tokenizer, ids(tokenizer, text), stops, trim=True)
        assert (found.text, found.stopped) == expected
        assert not any(stop in found.text for stop in stops)
        assert all(found.text.startswith("".join(shown[:n])) for n in range(len(shown)))


TOKENIZERS: list[Tokenizer] = []


@pytest.fixture(autouse=True, scope="module")
def _both(words: Tokenizer, single: Tokenizer) -> None:
    TOKENIZERS[:] = [words, single]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("，。！？；： 水", "水"),
        (" ,.!?;:\t\r\n\u3000、水。", "水。"),
        ("（水）", "（水）"),
        ("“水”", "“水”"),
        ("「水」", "「水」"),
        ("《水》", "《水》"),
        ("(1)", "(1)"),
        ('{"a": 1}', '{"a": 1}'),
        ("-5", "-5"),
        ("−5", "−5"),
        (". -5", "-5"),
        ("+3", "+3"),
        ("3.14", "3.14"),
        ("$5", "$5"),
        ("# 标题", "# 标题"),
        ("*水*", "*水*"),
        ("……水", "……水"),
        ("。，", ""),
    ],
)
def test_leading_punctuation_goes_but_not_what_may_begin_an_answer(single: Tokenizer, text: str, answer: str) -> None:
    _, found = pushed(single, ids(single, text), [], trim=True)
    assert found.text == answer
    _, untouched = pushed(single, ids(single, text), [], trim=False)
    assert untouched.text == text


def test_without_trimming_a_stop_string_still_makes_no_empty_answer(single: Tokenizer) -> None:
    for text, wanted in (("\n水\n", "水"), (" \n水\n", " 水"), ("\n\n水", "水")):
        _, found = pushed(single, ids(single, text), ["\n"], trim=False)
        assert found.text == wanted


def test_half_characters_are_never_shown(single: Tokenizer) -> None:
    text = "水é鲸🐋x"
    shown, _ = pushed(single, ids(single, text), [], trim=True)
    assert [piece for piece in shown if piece] == list(text)
    assert len(shown) == len(text.encode()) + 1


def test_half_a_character_at_the_end_becomes_a_replacement(single: Tokenizer) -> None:
    tokens = ids(single, "水🐋")
    for left in range(1, 4):
        shown, found = pushed(single, tokens[:-left], [], trim=True)
        assert found.text == "水\ufffd"
        assert shown[-1] == "\ufffd"
        assert "\ufffd" not in "".join(shown[:-1])


def test_broken_bytes_in_the_middle_do_not_swallow_what_follows(single: Tokenizer) -> None:
    tokens = [ids(single, "水")[0], *ids(single, "ab")]
    assert pushed(single, tokens, [], trim=True)[1].text == "\ufffdab"


def test_empty_is_said_of_what_would_be_an_empty_answer(single: Tokenizer) -> None:
    text = AnswerText(single, ["用户:"], True)
    states = []
    for token in ids(single, "\n，用户:用户们"):
        text.push(token)
        states.append(text.empty)
    characters = [states[i] for i in itertools.accumulate(map(len, map(str.encode, "\n，用户:用户们")), initial=-1)][1:]
    #                     \n    ，    用     户     :     用     户     们
    assert characters == [True, True, False, False, True, False, False, False]


# -- stream: the loop -----------------------------------------------------------------------------------------


def test_it_recites(recite: Make, words: Tokenizer) -> None:
    """The model of these tests does what the tests say."""
    tokens, end = run(recite(words, words.encode("猫吃鱼。")), words, config())
    assert end.text == "猫吃鱼。"
    assert end.stop_reason == "end"
    assert end.stop == ""
    assert [token.id for token in tokens] == words.encode("猫吃鱼。")
    assert end.prompt_tokens == 1


def test_special_tokens_are_never_emitted(recite: Make, words: Tokenizer) -> None:
    first = {words.bos: 30.0, words.pad: 29.0, words.eos: 28.0, words.encode("水")[0]: 1.0}
    later = {words.bos: 30.0, words.pad: 29.0, words.encode("鱼")[0]: 1.0, words.eos: 0.5}
    model = recite(words, [first, later, first])
    greedy, _ = run(model, words, config(max_new_tokens=3))
    drawn = [
        run(model, words, config(temperature=t, max_new_tokens=3), seed=s)[0] for t in (1.0, 10.0) for s in range(9)
    ]
    for tokens in (greedy, *drawn):
        assert not {token.id for token in tokens} & words.special


def test_a_character_tokenizer_never_says_unknown(make_model: Make, recite: Make) -> None:
    from core.tokenizer import train_char

    char = train_char(iter(["猫吃鱼"]), 260)
    unknown = next(i for i in char.special if char.token_text(i) == "<unk>")
    model = recite(char, [{unknown: 30.0, char.encode("猫")[0]: 1.0}])
    assert run(model, char, config())[1].text == "猫"
    _, without_end = forbidden_tokens(char)
    assert all(math.isinf(float(without_end[i])) for i in char.special)


@pytest.mark.parametrize("greedy", [True, False])
def test_no_empty_answer_when_the_end_comes_first(recite: Make, words: Tokenizer, greedy: bool) -> None:
    fish = words.encode("鱼")[0]
    model = recite(words, [{words.eos: 30.0, fish: 20.0}, {words.eos: 30.0}])
    _, end = run(model, words, config(temperature=0.0 if greedy else 0.1), seed=1)
    assert end.text == "鱼"
    assert end.stop_reason == "end"


def test_no_empty_answer_of_trimmed_punctuation(recite: Make, words: Tokenizer) -> None:
    """'。' alone is trimmed: the end is not allowed yet."""
    fish = words.encode("鱼")[0]
    model = recite(words, [words.encode("。")[0], {words.eos: 30.0, fish: 20.0}])
    assert run(model, words, config())[1].text == "鱼"


def test_no_empty_answer_when_a_stop_string_comes_first(recite: Make, words: Tokenizer) -> None:
    tokens = [*words.encode("\n"), *words.encode("用户:"), *words.encode("鱼"), *words.encode("\n")]
    for trim in (True, False):
        _, end = run(recite(words, tokens), words, config(stop=["\n", "用户:"], trim_leading=trim))
        assert (end.text, end.stop_reason, end.stop) == ("鱼", "stop", "\n")


@pytest.mark.parametrize("text", ["鱼", "2", "用户", "邮件", "a"])
def test_short_answers_stay_short(recite: Make, single: Tokenizer, text: str) -> None:
    """A minimum of 5 tokens once made 邮件"}"}月19日 of 邮件. '用户' is also the beginning of a stop string."""
    _, end = run(recite(single, ids(single, text)), single, config(stop=["\n", "用户:"]))
    assert (end.text, end.stop_reason) == (text, "end")
    assert end.tokens == len(text.encode())


def test_a_minimum_holds_the_end_back(recite: Make, words: Tokenizer) -> None:
    fish, end_or_fish = words.encode("鱼")[0], {words.eos: 30.0, words.encode("鱼")[0]: 20.0}
    model = recite(words, [fish, end_or_fish, end_or_fish, end_or_fish])
    for minimum in (1, 2, 3):
        assert run(model, words, config(min_new_tokens=minimum))[1].text == "鱼" * minimum


def test_the_limit_ends_an_answer(recite: Make, single: Tokenizer) -> None:
    model = recite(single, ids(single, "abcdef"))
    _, end = run(model, single, config(max_new_tokens=3))
    assert (end.text, end.stop_reason, end.tokens) == ("abc", "length", 3)
    _, end = run(model, single, config(max_new_tokens=3, stop=["cx"]))
    assert end.text == "abc", "what was held back is text after all"
    _, end = run(recite(single, ids(single, "ab水")), single, config(max_new_tokens=4))
    assert end.text == "ab\ufffd"


def test_a_stop_string_is_not_in_the_answer(recite: Make, single: Tokenizer) -> None:
    tokens, end = run(recite(single, ids(single, "鱼\n用户:更多")), single, config(stop=["用户:", "\n"]))
    assert (end.text, end.stop_reason, end.stop) == ("鱼", "stop", "\n")
    assert end.tokens == 4, "nothing is computed behind it"
    assert tokens[-1].shown == ""


def test_blanks_at_the_end_are_not_part_of_the_answer(recite: Make, single: Tokenizer) -> None:
    model = recite(single, ids(single, "鱼 \t"))
    assert run(model, single, config())[1].text == "鱼"
    assert run(model, single, config(trim_leading=False))[1].text == "鱼 \t"


def test_the_context_ends_an_answer(make_model: Make, words: Tokenizer) -> None:
    model = make_model(words.vocab_size, seq_len=16)
    for length in (1, 7, 15, 16):
        *_, end = stream(model, words, [words.bos] * length, config(max_new_tokens=1000, min_new_tokens=1000))
        assert isinstance(end, Answer)
        assert (end.stop_reason, end.tokens, end.prompt_tokens) == ("length", 16 - length + 1, length)


@pytest.mark.parametrize("position", ["rope", "learned"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_a_text_goes_on_where_the_context_is_full(
    make_model: Make, words: Tokenizer, position: str, dtype: torch.dtype
) -> None:
    """Each token is the one that the model finds likeliest after what it still sees."""
    model = make_model(words.vocab_size, seq_len=16, position=position).to(dtype)
    settings = config(max_new_tokens=45, min_new_tokens=45, trim_leading=False)
    tokens, end = run(model, words, settings, endless=True)
    assert (end.tokens, end.stop_reason, end.prompt_tokens) == (45, "length", 1)
    written = [words.bos, *(token.id for token in tokens if token.id >= 0)]
    _never, without_end = forbidden_tokens(words)
    seen: list[int] = []
    for number, token in enumerate(written):
        if number:
            with torch.inference_mode():
                logits = model.logits(model(torch.tensor([seen]))[0, -1]).float() + without_end
            best = float(logits.max())
            assert float(logits[token]) >= best - (1e-4 if dtype == torch.float32 else 0.1), number
        if len(seen) == 16:
            seen = seen[-7:]
        seen.append(token)
    short, stopped = run(model, words, settings)
    assert (stopped.tokens, stopped.stop_reason) == (16, "length"), "an answer does not go on"
    assert [token.id for token in short if token.id >= 0] == written[1:17]


def test_probabilities_are_the_models_own(recite: Make, single: Tokenizer) -> None:
    a, b, c = ids(single, "abc")
    model = recite(single, [{a: 10.0, b: 9.0, c: 8.0}])
    logits = torch.zeros(single.vocab_size)
    logits[[a, b, c]] = torch.tensor([10.0, 9.0, 8.0])
    wanted = logits.softmax(0)
    for settings in (config(), config(temperature=0.001, top_k=1), config(temperature=0.1, top_p=0.01)):
        (first, *_), _ = run(model, single, settings, top=3, seed=1)
        assert first.id == a
        assert first.text == "a"
        assert first.p == pytest.approx(float(wanted[a]), rel=1e-4)
        assert [text for text, _ in first.top] == ["a", "b", "c"]
        assert [p for _, p in first.top] == pytest.approx(wanted[[a, b, c]].tolist(), rel=1e-4)
    tokens, _ = run(model, single, config())
    assert all(token.top == () for token in tokens)
    tokens, _ = run(model, single, config(max_new_tokens=1), top=10_000)
    assert len(tokens[0].top) == single.vocab_size
    assert sum(p for _, p in tokens[0].top) == pytest.approx(1.0, abs=1e-4)


def test_tokens_show_half_characters_only_as_tokens(recite: Make, single: Tokenizer) -> None:
    tokens, _ = run(recite(single, ids(single, "水")), single, config())
    assert [token.text for token in tokens] == ["\ufffd"] * 3
    assert [token.shown for token in tokens] == ["", "", "水"]


def test_a_repetition_penalty_acts_on_the_answer_so_far(recite: Make, single: Tokenizer) -> None:
    a, b = ids(single, "ab")
    model = recite(single, [{a: 10.0, b: 9.0}, {a: 10.0, b: 9.0}, {a: 10.0, b: 9.9}])
    assert run(model, single, config())[1].text == "aaa"
    assert run(model, single, config(repetition_penalty=1.3))[1].text == "aba"


def test_a_seed_repeats_a_draw_and_others_differ(make_model: Make, words: Tokenizer) -> None:
    model = make_model(words.vocab_size)
    settings = config(temperature=1.5, max_new_tokens=12, min_new_tokens=12)
    texts = {seed: run(model, words, settings, seed=seed)[1].text for seed in range(6)}
    assert len(set(texts.values())) == 6
    for seed in (0, 3):
        assert run(model, words, settings, seed=seed)[1].text == texts[seed]
    unseeded = {run(model, words, settings)[1].text for _ in range(4)}
    assert len(unseeded) == 4


@pytest.mark.parametrize("seed", [-1, 2**63 - 1, 2**64, 10**40])
def test_any_whole_number_is_a_seed(make_model: Make, words: Tokenizer, seed: int) -> None:
    model = make_model(words.vocab_size)
    settings = config(temperature=1.0, max_new_tokens=8)
    assert run(model, words, settings, seed=seed)[1].text == run(model, words, settings, seed=seed)[1].text


def test_the_global_generators_are_left_alone(make_model: Make, words: Tokenizer) -> None:
    model = make_model(words.vocab_size)
    torch.manual_seed(123)
    random.seed(123)
    before, python = torch.get_rng_state(), random.getstate()
    for seed in (None, 5):
        run(model, words, config(temperature=1.0, max_new_tokens=5), seed=seed)
    list(answer_batch(model, words, [[words.bos]], config(max_new_tokens=5)))
    assert torch.equal(torch.get_rng_state(), before)
    assert random.getstate() == python


def test_the_state_of_the_global_generator_does_not_matter(make_model: Make, words: Tokenizer) -> None:
    model, settings = make_model(words.vocab_size), config(temperature=1.0, max_new_tokens=10)
    found = []
    for state in (1, 2):
        torch.manual_seed(state)
        found.append(run(model, words, settings, seed=5)[1].text)
    assert found[0] == found[1]


def test_closing_the_generator_stops_it(recite: Make, single: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = []
    monkeypatch.setattr(module, "choose", lambda *args: chosen.append(1) or ids(single, "a")[0])
    items = stream(recite(single, []), single, [single.bos], config(max_new_tokens=50))
    next(items)
    items.close()
    assert len(chosen) == 1


def test_answers_need_no_gradients_and_change_no_weights(make_model: Make, words: Tokenizer) -> None:
    model = make_model(words.vocab_size)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    run(model, words, config(max_new_tokens=5))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_rates(recite: Make, single: Tokenizer) -> None:
    _, end = run(recite(single, ids(single, "abcdef")), single, config())
    assert end.tokens_per_second > 0
    assert 0 < end.prefill_seconds < end.seconds
    assert Answer("鱼", "end", "", 1, 1, 1.0, 0.5).tokens_per_second == 0.0
    assert Answer("鱼", "end", "", 3, 1, 2.0, 1.0).tokens_per_second == 2.0


# -- generate: from a question --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seq_len", "new", "room"),
    [(128, 100, 96), (128, 10, 118), (128, 5000, 96), (8, 100, 4), (48, 100, 32), (1024, 100, 924)],
)
def test_a_prompt_leaves_room_for_the_answer(seq_len: int, new: int, room: int) -> None:
    assert prompt_room(seq_len, new) == room


class Prompts(list[list[int]]):
    """The token ids that ``stream`` was given."""


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch) -> Prompts:
    seen = Prompts()
    real = module.stream

    def spy(model: GPT, tokenizer: Tokenizer, prompt: list[int], *args: Any, **more: Any) -> Any:
        seen.append(prompt)
        return real(model, tokenizer, prompt, *args, **more)

    monkeypatch.setattr(module, "stream", spy)
    return seen


def test_a_question_becomes_the_prompt_of_training(
    make_model: Make, words: Tokenizer, loaded: Callable[..., LoadedModel], prompts: Prompts
) -> None:
    model = loaded(make_model(words.vocab_size, seq_len=128), words, max_new_tokens=2)
    for typed in ("鲸是什么？", " 鲸是什么？\n", "鲸 是 什么?"):
        answer(model, typed)
    assert prompts == [[words.bos, *words.encode("用户:鲸是什么？\n助手:")]] * 3
    assert words.eos not in prompts[0]


def test_end_tokens_that_a_person_types_are_text(
    make_model: Make, words: Tokenizer, loaded: Callable[..., LoadedModel], prompts: Prompts
) -> None:
    answer(loaded(make_model(words.vocab_size, seq_len=128), words, max_new_tokens=2), "<eos><bos><pad>鱼")
    assert words.eos not in prompts[0][1:]
    assert words.decode(prompts[0]) == "用户:<eos><bos><pad>鱼\n助手:"


def test_long_prompts_lose_their_oldest_part(
    make_model: Make, words: Tokenizer, loaded: Callable[..., LoadedModel], prompts: Prompts
) -> None:
    model = loaded(make_model(words.vocab_size, seq_len=32), words, max_new_tokens=10)
    end = answer(model, "旧" * 50 + "新的问题？")
    whole = words.encode("用户:" + "旧" * 50 + "新的问题？\n助手:")
    assert prompts[0] == [words.bos, *whole[-21:]]
    assert end.prompt_tokens == 22
    assert words.decode(prompts[0]).endswith("问题？\n助手:")


@pytest.mark.parametrize(
    ("question", "earlier"), [("新的问题？", 0), ("新的问题？", 40), ("旧" * 50, 0), ("旧" * 50, 40)]
)
def test_it_is_told_what_of_a_question_was_not_read(
    make_model: Make,
    words: Tokenizer,
    loaded: Callable[..., LoadedModel],
    prompts: Prompts,
    question: str,
    earlier: int,
) -> None:
    model = loaded(make_model(words.vocab_size, seq_len=32), words, max_new_tokens=10)
    history = (Turn("早" * earlier, "好"),) if earlier else ()
    *_, end = generate(model, question, history=history)
    assert isinstance(end, Answer)
    whole = 1 + len(words.encode(f"用户:{question}\n助手:"))
    assert len(prompts[0]) <= 22
    assert end.cut_tokens == max(0, whole - 22), "an earlier question that is left out is none that was not read"


def test_history_and_context_stand_before_the_question(
    make_model: Make, words: Tokenizer, loaded: Callable[..., LoadedModel], prompts: Prompts
) -> None:
    model = loaded(make_model(words.vocab_size, seq_len=128), words, max_new_tokens=2)
    list(generate(model, "鱼？", history=(Turn("猫？", "喵"),), context="水里"))
    tokens = prompts[0]
    assert words.decode(tokens) == "用户:猫？\n助手:喵\n用户:鱼？\n水里\n助手:"
    assert tokens.count(words.eos) == 1, "the earlier answer ends as it did in training, the prompt does not"
    assert tokens[-1] != words.eos


def test_answer_is_the_end_of_generate(make_model: Make, words: Tokenizer, loaded: Callable[..., LoadedModel]) -> None:
    model = loaded(make_model(words.vocab_size), words, max_new_tokens=9)
    *_, last = generate(model, "鱼？")
    assert isinstance(last, Answer)
    assert answer(model, "鱼？").text == last.text
    drawn = config(temperature=1.0, max_new_tokens=9)
    assert answer(model, "鱼？", drawn, seed=3).text == answer(model, "鱼？", drawn, seed=3).text
    assert answer(model, "鱼？", config(max_new_tokens=1)).tokens == 1


# -- many rows at once ----------------------------------------------------------------------------------------


def one_by_one(model: GPT, tokenizer: Tokenizer, prompts: list[list[int]], settings: SamplingConfig) -> list[str]:
    found = []
    for prompt in prompts:
        *_, end = stream(model, tokenizer, prompt, settings)
        assert isinstance(end, Answer)
        found.append(end.text)
    return found


def batched(
    model: GPT, tokenizer: Tokenizer, prompts: list[list[int]], settings: SamplingConfig, size: int = 64
) -> list[str]:
    found = dict(answer_batch(model, tokenizer, prompts, settings, size))
    assert sorted(found) == list(range(len(prompts)))
    return [found[i] for i in range(len(prompts))]


ARCHITECTURES = [
    {"position": position, "norm": norm, "n_kv_head": kv, "mlp": mlp, "tie_embeddings": tie}
    for position in ("rope", "learned")
    for norm in ("rmsnorm", "layernorm", "scalenorm")
    for kv, mlp, tie in ((None, "silu", True), (2, "swiglu", False))
]


@pytest.mark.parametrize("settings", ARCHITECTURES, ids=lambda s: "-".join(map(str, s.values())))
def test_batched_is_one_by_one(make_model: Make, words: Tokenizer, settings: dict[str, Any]) -> None:
    model = make_model(words.vocab_size, **settings)
    draw = random.Random(0)
    ordinary = [i for i in range(words.vocab_size) if i not in words.special]
    prompts = [[words.bos, *draw.choices(ordinary, k=k)] for k in (0, 1, 2, 2, 5, 9, 17, 30, 47)]
    for sampling in (config(max_new_tokens=14), config(max_new_tokens=14, repetition_penalty=1.4, stop=["a", "e"])):
        expected = one_by_one(model, words, prompts, sampling)
        assert len(set(expected)) > 5, "the answers must differ for this test to mean anything"
        assert batched(model, words, prompts, sampling) == expected
        assert batched(model, words, prompts, sampling, size=2) == expected


def test_a_short_prompt_beside_a_long_one_keeps_its_room(make_model: Make, words: Tokenizer) -> None:
    """Row 0 may say 47 tokens, row 1 only 4, whoever it is computed with."""
    model = make_model(words.vocab_size)
    prompts = [[words.bos] * 2, [words.bos] * 45]
    sampling = config(max_new_tokens=100, min_new_tokens=100)
    expected = one_by_one(model, words, prompts, sampling)
    assert len(expected[0]) > 3 * len(expected[1])
    assert batched(model, words, prompts, sampling) == expected


def test_rows_that_have_ended_do_not_disturb_the_others(recite: Make, single: Tokenizer) -> None:
    """At place i the model says the i-th letter, and ends where the row's own length says so."""
    a, b, c, d, e, newline = ids(single, "abcde\n")
    script: list[Any] = [{token: 30.0} for token in (a, b, c, newline, d)] + [{single.eos: 30.0, e: 20.0}]
    model = recite(single, script)
    prompts = [[single.bos] * length for length in (1, 4, 2, 6, 5, 3)]
    sampling = config(stop=["\n"], trim_leading=False)
    expected = one_by_one(model, single, prompts, sampling)
    assert expected == ["abc", "d", "bc", "e", "d", "c"]
    assert batched(model, single, prompts, sampling) == expected
    assert batched(model, single, prompts[:1], sampling) == ["abc"]


def test_batches_hold_the_same_rules(recite: Make, single: Tokenizer) -> None:
    """No empty answers, no special tokens, short answers short, stop strings cut."""
    fish = ids(single, "鱼")
    for start in ([{single.eos: 30.0, fish[0]: 20.0}, *fish[1:]], [{single.bos: 30.0, fish[0]: 20.0}, *fish[1:]]):
        assert batched(recite(single, start), single, [[single.bos]], config()) == ["鱼"]
    for text, wanted in (("用户", "用户"), ("鱼用户:x", "鱼"), ("\n鱼 \n", "鱼"), ("。鱼", "鱼")):
        model = recite(single, ids(single, text))
        assert batched(model, single, [[single.bos]], config(stop=["用户:", "\n"])) == [wanted]
    model = recite(single, ids(single, "abcdef"))
    assert batched(model, single, [[single.bos]] * 3, config(max_new_tokens=2)) == ["ab"] * 3


def test_no_prompts_no_answers(make_model: Make, words: Tokenizer) -> None:
    assert list(answer_batch(make_model(words.vocab_size), words, [], config())) == []
