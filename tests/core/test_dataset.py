"""Records to token rows: what is given, what is learnt, what had to be cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import dataset as dataset_module
from core.dataset import Dataset, build_dataset, encode_prompt, encode_segments, require_supervision
from core.errors import DataError
from core.records import Record, Turn
from core.template import TEMPLATES, Template
from core.tokenizer import Tokenizer

TEACHER, PLAIN = TEMPLATES["teacher"], TEMPLATES["plain"]
words = st.text(st.characters(exclude_categories=()), min_size=1, max_size=12).filter(str.strip)
chinese = st.text(st.sampled_from("注意力机制是什么？权重<eos>\n 鲸a"), min_size=1, max_size=20).filter(str.strip)
turns = st.builds(Turn, st.one_of(words, chinese), st.one_of(words, chinese), st.one_of(st.just(""), words))
conversations = st.builds(
    lambda found, system: Record(turns=tuple(found), system=system, where="f:1"),
    st.lists(turns, min_size=1, max_size=3),
    st.one_of(st.just(""), words),
)
templates = st.sampled_from(list(TEMPLATES.values()))


def qa(prompt: str, completion: str) -> Record:
    return Record(turns=(Turn(prompt, completion),), where=f"f:{prompt}")


def row(dataset: Dataset, i: int) -> tuple[list[int], list[bool]]:
    part = slice(dataset.starts[i], dataset.starts[i] + dataset.lengths[i])
    return dataset.tokens[part].tolist(), dataset.learn[part].tolist()


def learnt(dataset: Dataset, i: int) -> list[int]:
    """The tokens of a row that the loss is computed on."""
    tokens, learn = row(dataset, i)
    return [token for token, to_learn in zip(tokens[1:], learn[1:], strict=True) if to_learn]


# --- what is learnt


def test_only_the_answer_and_its_end_are_learnt(bpe: Tokenizer) -> None:
    """Fault 16: 'loss on the response only' that masks only padding."""
    dataset = build_dataset([qa("什么是注意力？", "权重。")], bpe, TEACHER, 128)
    prompt, answer = bpe.encode("用户:什么是注意力？\n助手:"), bpe.encode("权重。")
    assert row(dataset, 0) == (
        [bpe.bos, *prompt, *answer, bpe.eos],
        [False] * (1 + len(prompt)) + [True] * (len(answer) + 1),
    )
    assert dataset.supervised_tokens == len(answer) + 1


def test_every_answer_of_a_conversation_is_learnt_and_ended(bpe: Tokenizer) -> None:
    record = Record(turns=(Turn("a", "b"), Turn("c", "d")))
    tokens, learn = row(build_dataset([record], bpe, TEACHER, 128), 0)
    assert [token for token, to_learn in zip(tokens, learn, strict=True) if to_learn] == [
        *bpe.encode("b"), bpe.eos, *bpe.encode("d"), bpe.eos,
    ]  # fmt: skip
    assert bpe.decode(tokens) == "用户:a\n助手:b\n用户:c\n助手:d"


@given(record=conversations, template=templates)
def test_a_row_is_its_segments_one_after_the_other(bpe: Tokenizer, record: Record, template: Template) -> None:
    dataset = build_dataset([record], bpe, template, 10_000)
    assert row(dataset, 0) == encode_segments(template.segments(record), bpe, template.bos)
    assert dataset.supervised_tokens == sum(len(bpe.encode(turn.completion)) + 1 for turn in record.turns)
    assert row(dataset, 0)[0].count(bpe.eos) == len(record.turns) * (2 if template.closed else 1)


# --- faults 9 and 10: the prompt in use is the prompt of the training, and holds no end token


@given(record=conversations, template=templates)
def test_a_prompt_has_the_same_ids_in_training_and_in_use(bpe: Tokenizer, record: Record, template: Template) -> None:
    tokens, _ = row(build_dataset([record], bpe, template, 10_000), 0)
    last = record.turns[-1]
    asked = Turn(last.prompt, "", last.context)
    prompt = encode_prompt(asked, bpe, template, 10_000, record.turns[:-1], record.system)
    answer = [*bpe.encode(last.completion), bpe.eos]
    assert prompt + answer == tokens
    # those of earlier answers only, and of questions where the template, as the seeds do, ends them too
    assert prompt.count(bpe.eos) == len(record.turns) - 1 + (len(record.turns) if template.closed else 0)


@given(prompt=chinese, answers=st.tuples(words, words), template=templates)
def test_a_prompt_has_the_same_ids_whatever_answer_follows(
    bpe: Tokenizer, prompt: str, answers: tuple[str, str], template: Template
) -> None:
    dataset = build_dataset([qa(prompt, answer) for answer in answers], bpe, template, 10_000)
    length = len(encode_prompt(prompt, bpe, template, 10_000))
    assert row(dataset, 0)[0][:length] == row(dataset, 1)[0][:length]


@given(prompt=st.one_of(words, st.just("")), room=st.integers(1, 40), template=templates)
def test_a_long_prompt_in_use_loses_its_oldest_part(bpe: Tokenizer, prompt: str, room: int, template: Template) -> None:
    whole = encode_prompt(prompt, bpe, template, 10_000)
    cut = encode_prompt(prompt, bpe, template, room)
    assert cut
    assert len(cut) == min(room, len(whole))
    if template.bos:
        assert cut[0] == bpe.bos
        assert cut[1:] == whole[len(whole) - len(cut) + 1 :]
    else:
        assert cut == whole[len(whole) - len(cut) :]


# --- fault 11: truncation that cuts the answer


@given(records=st.lists(conversations, max_size=4), seq_len=st.integers(8, 60), template=templates)
def test_a_long_row_loses_its_oldest_part_but_never_its_answer(
    bpe: Tokenizer, records: list[Record], seq_len: int, template: Template
) -> None:
    dataset = build_dataset(records, bpe, template, seq_len)
    kept, cut_rows, cut_tokens = 0, 0, 0
    for record in records:
        whole, learn = encode_segments(template.segments(record), bpe, template.bos)
        answer = [*bpe.encode(record.completion), bpe.eos]
        over = len(whole) - (seq_len + 1)
        if over > 0 and seq_len + 1 - len(answer) < 2:
            continue  # lost
        tokens, to_learn = row(dataset, kept)
        kept += 1
        assert len(tokens) == min(len(whole), seq_len + 1)
        assert tokens[-len(answer) :] == answer
        assert to_learn[-len(answer) :] == [True] * len(answer)
        assert len(tokens) > len(answer)  # something stands before the answer
        skip = 1 if template.bos else 0
        assert tokens[:skip] == whole[:skip]
        assert to_learn[:skip] == [False] * skip
        rest = len(tokens) - skip
        assert tokens[skip:] == whole[len(whole) - rest :]
        # Of an answer that has lost its beginning nothing is learnt; what is whole is learnt as ever.
        expected = learn[len(learn) - rest :]
        if over > 0 and learn[len(learn) - rest - 1] and expected[0]:
            torn = whole[len(whole) - rest :].index(bpe.eos) + 1
            expected[:torn] = [False] * torn
        assert to_learn[skip:] == expected
        cut_rows += over > 0
        cut_tokens += max(0, over)
    stats = dataset.stats
    assert len(dataset) == kept
    assert (stats.rows, stats.lost, stats.cut, stats.cut_tokens) == (
        len(records), len(records) - kept, cut_rows, cut_tokens,
    )  # fmt: skip
    assert int(dataset.lengths.sum()) == len(dataset.tokens) == len(dataset.learn)


def test_an_earlier_answer_without_its_beginning_is_not_learnt(bpe: Tokenizer) -> None:
    """It would be learnt as the answer to nothing."""
    long, last = "权重权重权重权重权重", "好"
    dataset = build_dataset([Record(turns=(Turn("问", long), Turn("再问", last)))], bpe, TEACHER, 30)
    tokens, learn = row(dataset, 0)
    assert bpe.decode(tokens).endswith(f"再问\n助手:{last}")
    assert "权" in bpe.decode(tokens)
    assert [token for token, to_learn in zip(tokens, learn, strict=True) if to_learn] == [*bpe.encode(last), bpe.eos]


def test_a_row_that_fits_exactly_is_not_cut(bpe: Tokenizer) -> None:
    record = qa("什么是注意力？", "权重。")
    length = len(row(build_dataset([record], bpe, TEACHER, 128), 0)[0])
    assert build_dataset([record], bpe, TEACHER, length - 1).stats.cut == 0
    assert build_dataset([record], bpe, TEACHER, length - 2).stats.cut == 1


def test_beside_its_answer_a_row_needs_two_tokens(bpe: Tokenizer) -> None:
    """``<bos>`` and one of the question."""
    record = qa("什么是注意力？", "权重。")
    answer = len(bpe.encode("权重。")) + 1
    kept, lost = (build_dataset([record], bpe, TEACHER, answer + beside - 1) for beside in (2, 1))
    assert (len(kept), kept.stats.lost, len(lost), lost.stats.lost) == (1, 0, 0, 1)
    assert row(kept, 0)[0][0] == bpe.bos
    assert len(learnt(kept, 0)) == answer


def test_lost_rows_are_counted_and_the_first_are_named(bpe: Tokenizer) -> None:
    records = [qa(str(i), "鲸" * 20) for i in range(7)] + [qa("8", "短")]
    dataset = build_dataset(records, bpe, TEACHER, 32)
    assert len(dataset) == 1
    assert dataset.stats.lost == 7
    assert dataset.stats.lost_where == [f"f:{i}" for i in range(5)]


def test_a_corpus_with_nothing_to_learn_is_refused(bpe: Tokenizer) -> None:
    dataset = build_dataset([qa("问", "鲸" * 20)] * 3, bpe, TEACHER, 16)
    with pytest.raises(DataError) as caught:
        require_supervision(dataset, "a.jsonl")
    assert str(caught.value).startswith(
        "a.jsonl: no answer is left to learn from (3 rows read, 3 with an answer longer"
    )
    with pytest.raises(DataError):
        require_supervision(build_dataset([], bpe, TEACHER, 16), "a.jsonl")
    require_supervision(build_dataset([qa("问", "答")], bpe, TEACHER, 16), "a.jsonl")


# --- texts


@given(text=words, seq_len=st.integers(2, 12), template=templates)
def test_windows_over_a_text_learn_every_token_once(
    bpe: Tokenizer, text: str, seq_len: int, template: Template
) -> None:
    whole = [*bpe.encode(text), bpe.eos]
    dataset = build_dataset([Record(text=text)], bpe, template, seq_len)
    windows = [row(dataset, i)[0] for i in range(len(dataset))]
    assert [token for i in range(len(dataset)) for token in learnt(dataset, i)] == whole[1:]
    assert all(2 <= len(window) <= seq_len + 1 for window in windows)
    assert dataset.supervised_tokens == len(whole) - 1
    assert dataset.stats.rows == 1


@given(text=words, seq_len=st.integers(2, 12), stride=st.integers(1, 12))
def test_windows_move_by_the_stride_and_reach_the_end(bpe: Tokenizer, text: str, seq_len: int, stride: int) -> None:
    whole = [*bpe.encode(text), bpe.eos]
    dataset = build_dataset([Record(text=text)], bpe, PLAIN, seq_len, stride)
    for i in range(len(dataset)):
        assert dataset.starts[i] == i * stride
        assert row(dataset, i)[0] == whole[i * stride :][: seq_len + 1]
    if stride <= seq_len:
        assert row(dataset, len(dataset) - 1)[0][-1] == bpe.eos
    assert dataset.supervised_tokens == sum(len(learnt(dataset, i)) for i in range(len(dataset)))


def test_windows_do_not_cross_from_one_text_to_the_next(bpe: Tokenizer) -> None:
    dataset = build_dataset([Record(text="ab"), Record(text="cd"), qa("e", "f")], bpe, PLAIN, 64)
    assert [bpe.decode(row(dataset, i)[0]) for i in range(3)] == ["ab", "cd", "ef"]


# --- the arrays


def test_many_rows_are_the_same_in_pieces(bpe: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [qa(f"问题{i}", f"答案{i}") for i in range(10)] + [Record(text="春眠不觉晓")] * 3
    whole = build_dataset(records, bpe, TEACHER, 32)
    monkeypatch.setattr(dataset_module, "CHUNK", 3)
    pieces = build_dataset(iter(records), bpe, TEACHER, 32)
    for name in ("tokens", "learn", "starts", "lengths"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name))
    assert whole.stats == pieces.stats


def test_no_rows_are_an_empty_dataset(bpe: Tokenizer) -> None:
    dataset = build_dataset([], bpe, TEACHER, 32)
    assert (len(dataset), dataset.supervised_tokens, dataset.stats.rows) == (0, 0, 0)


def test_a_row_takes_few_bytes(bpe: Tokenizer) -> None:
    dataset = build_dataset([qa("问", "答")], bpe, TEACHER, 32)
    assert (dataset.tokens.itemsize, dataset.learn.itemsize) == (4, 1)


def test_an_unknown_character_in_a_question_is_one_token(char: Tokenizer) -> None:
    assert len(encode_prompt("\U0010ffff", char, TEACHER, 100)) == len(encode_prompt("注", char, TEACHER, 100))


@given(text=words, seq_len=st.integers(2, 12), stride=st.integers(1, 12))
def test_the_first_window_that_reaches_the_end_is_the_last(
    bpe: Tokenizer, text: str, seq_len: int, stride: int
) -> None:
    dataset = build_dataset([Record(text=text * 3)], bpe, PLAIN, seq_len, stride)
    at_the_end = [row(dataset, i)[0][-1] == bpe.eos for i in range(len(dataset))]
    assert at_the_end.count(True) <= 1
    assert True not in at_the_end[:-1]
