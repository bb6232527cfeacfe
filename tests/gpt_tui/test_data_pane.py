"""The Data tab: rows exactly as the training gets them, the report, paging and searching, and the tokenizer."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input, Select, Static

import gpt_tui
from core.config import Config, load_config, to_yaml
from core.dataset import build_dataset
from core.records import Record, Turn, read_records
from core.template import TEMPLATES
from core.text import cell_width
from core.tokenizer import Tokenizer, train_bpe, train_char
from gpt_tui import i18n
from gpt_tui.desk import Desk
from gpt_tui.panes.data import ACTIONS, DataPane
from gpt_tui.session import Session
from gpt_tui.widgets.report import ReportText, report_content, summary_text
from gpt_tui.widgets.report_data import Cancelled, DataView, Line, data_key, gather
from gpt_tui.widgets.token_row import STYLES, Builder, head_text, piece_lines, piece_text, row_lines
from gpt_tui.widgets.token_row_pages import RowPages
from gpt_tui.widgets.token_row_try import MOST_CHARACTERS, TryArea, facts
from gpt_tui.widgets.token_rows import CUT, GIVEN, LEARNT, Rows, marked, pieces_of
from gpt_tui.zh import TEXTS

HERE = Path(gpt_tui.__file__).parent
TEACHER = TEMPLATES["teacher"]


def question(number: int, answer: str = "水在一百度时沸腾。") -> Record:
    return Record(turns=(Turn(f"第{number}个问题：水在多少度时沸腾？", answer),), where=f"a.jsonl:{number + 1}")


def talk(turns: int) -> Record:
    return Record(turns=tuple(Turn(f"问题{i}？", f"回答{i}。") for i in range(turns)), system="你是老师", where="a:9")


CORPUS = [question(i) for i in range(40)] + [talk(4)]


def tokenizer_of(records: list[Record], size: int = 400) -> Tokenizer:
    return train_bpe((s.text for record in records for s in TEACHER.segments(record)), size)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tokenizer_of(CORPUS)


# -- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seq_len", [8, 16, 24, 32, 64, 512])
@pytest.mark.parametrize("template", ["teacher", "alpaca", "plain"])
def test_what_is_not_cut_is_exactly_what_the_training_gets(tokenizer: Tokenizer, seq_len: int, template: str) -> None:
    words = TEMPLATES[template]
    rows = Rows(CORPUS, tokenizer, words, seq_len)
    dataset = build_dataset(CORPUS, tokenizer, words, seq_len)
    seen = [[p for p in rows.row(i).pieces if p.part != CUT] for i in range(len(rows))]
    kept = [row for row in seen if row]
    assert len(kept) == len(dataset)
    for i, row in enumerate(kept):
        start, length = int(dataset.starts[i]), int(dataset.lengths[i])
        assert [p.token for p in row] == dataset.tokens[start : start + length].tolist()
        assert [p.part == LEARNT for p in row] == dataset.learn[start : start + length].tolist()
    assert sum(rows.row(i).count(CUT) for i in range(len(rows)) if seen[i]) == dataset.stats.cut_tokens
    assert sum(rows.row(i).lost for i in range(len(rows))) == dataset.stats.lost
    assert sum(map(rows.is_cut, range(len(rows)))) == dataset.stats.cut + dataset.stats.lost


@pytest.mark.parametrize("stride", [None, 5])
def test_windows_of_texts_are_exactly_what_the_training_gets(tokenizer: Tokenizer, stride: int | None) -> None:
    records = [Record(text="水在一百度时沸腾。" * 30, where="a:1"), question(1), Record(text="短", where="a:3"),
               Record(text="问题" * 20, where="a:4")]  # fmt: skip
    rows = Rows(records, tokenizer, TEACHER, 16, stride)
    dataset = build_dataset(records, tokenizer, TEACHER, 16, stride)
    assert len(rows) == len(dataset)
    for i in range(len(rows)):
        start, length = int(dataset.starts[i]), int(dataset.lengths[i])
        row = rows.row(i)
        assert [p.token for p in row.pieces if p.part != CUT] == dataset.tokens[start : start + length].tolist()
        learnt = [p.part == LEARNT for p in row.pieces if p.part != CUT]
        assert learnt[1:] == dataset.learn[start + 1 : start + length].tolist()
        assert not learnt[0]  # nothing stands before it
    first = rows.row(0)
    assert first.window is not None
    assert first.window[0] == 1
    assert rows.row(len(rows) - 1).where == "a:4"


def test_the_bundled_corpus_row_by_row() -> None:
    records = list(read_records(Path(__file__).parents[2] / "data" / "teacher" / "valid.jsonl"))
    tokenizer = tokenizer_of(records, 600)
    rows = Rows(records, tokenizer, TEACHER, 40)
    dataset = build_dataset(records, tokenizer, TEACHER, 40)
    tokens = [p.token for i in range(len(rows)) for p in rows.row(i).pieces if p.part != CUT]
    assert tokens == dataset.tokens.tolist()


def test_rows_outside_are_refused(tokenizer: Tokenizer) -> None:
    rows = Rows(CORPUS, tokenizer, TEACHER, 64)
    for number in (-1, len(CORPUS)):
        with pytest.raises(IndexError):
            rows.row(number)
    assert len(Rows([], tokenizer, TEACHER, 64)) == 0


def test_searching(tokenizer: Tokenizer) -> None:
    records = [*CORPUS, Record(turns=(Turn("What is WATER?", "Water."),), where="b.jsonl:7")]
    rows = Rows(records, tokenizer, TEACHER, 64)
    assert [i for i in range(len(rows)) if rows.matches(i, "第7个")] == [7]
    assert [i for i in range(len(rows)) if rows.matches(i, "water")] == [41]
    assert [i for i in range(len(rows)) if rows.matches(i, "b.jsonl:7")] == [41]
    texts = Rows([Record(text="abc " * 40 + "needle" + " abc" * 40)], tokenizer, TEACHER, 64)
    found = [i for i in range(len(texts)) if texts.matches(i, "needle")]
    assert 1 <= len(found) <= 2


def test_the_tokens_around_a_found_word_are_marked(tokenizer: Tokenizer) -> None:
    text = "鲸鱼和鲸鱼, WATER"  # not in the vocabulary: single bytes
    tokens = tokenizer.encode(text)
    pieces = pieces_of(tokenizer, tokens, [GIVEN] * len(tokens))
    found = b"".join(p.raw for p, hit in zip(pieces, marked(pieces, "鲸鱼"), strict=True) if hit)
    assert found.decode() == "鲸鱼鲸鱼"
    found = b"".join(p.raw for p, hit in zip(pieces, marked(pieces, "water"), strict=True) if hit)
    assert found == b"WATER"
    assert not any(marked(pieces, "whale"))
    assert not any(marked(pieces, ""))


# -- rows on the screen -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [10, 23, 40, 78, 118])
@pytest.mark.parametrize("ids", [False, True])
def test_lines_are_never_wider_than_the_screen_and_lose_nothing(tokenizer: Tokenizer, width: int, ids: bool) -> None:
    rows = Rows([*CORPUS[-5:], Record(text="x" * 300 + "水" * 100)], tokenizer, TEACHER, 20)
    for i in range(len(rows)):
        row = rows.row(i)
        lines = [line.plain for line in row_lines([row], width, ids=ids)]
        for line in lines:
            assert sum(map(cell_width, line)) <= width
        joined = "".join(lines[1:])
        for piece in row.pieces:
            assert piece_text(piece) in joined


def test_the_learnt_and_the_cut_part_differ_by_signs_and_by_more_than_colour(tokenizer: Tokenizer) -> None:
    row = Rows([question(1)], tokenizer, TEACHER, 11).row(0)
    text = "".join(line.plain for line in row_lines([row], 500))
    assert "<bos>‹cut│" in text
    assert text.count("«") == text.count("»") == 1
    assert text.rstrip().endswith("<eos>»")
    assert "! " in head_text(row, 500)
    for part, without in ((LEARNT, GIVEN), (CUT, GIVEN), ("special", GIVEN), ("found", GIVEN)):
        effects = {"bold", "strike", "reverse", "underline"}
        assert effects & set(STYLES[part].split()) != effects & set(STYLES[without].split())


def test_neighbouring_tokens_have_different_grounds(tokenizer: Tokenizer) -> None:
    content = row_lines([Rows([question(1)], tokenizer, TEACHER, 64).row(0)], 500)[1]
    styles = [str(span.style) for span in content.spans if "$text-success" in str(span.style)]
    assert len(styles) > 1
    assert all(("$panel" in a) != ("$panel" in b) for a, b in pairwise(styles))


def test_half_characters_are_shown_by_their_bytes_and_controls_made_visible(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode("鲸\x1b[31m\u202e\n")
    shown = [piece_text(p) for p in pieces_of(tokenizer, tokens, [GIVEN] * len(tokens))]
    assert shown[:3] == ["\\xe9", "\\xb2", "\\xb8"] or "\\xe9" in shown[0]
    assert "\x1b" not in "".join(shown)
    assert "\\n" in shown[-1]
    for text in shown:
        assert text.isprintable()


def test_tokens_stand_over_their_ids(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode("水在一百度时沸腾。水在一百度时沸腾。")
    lines = [line.plain for line in piece_lines(pieces_of(tokenizer, tokens, [GIVEN] * len(tokens)), 24)]
    assert len(lines) % 2 == 0
    for above, below in zip(lines[::2], lines[1::2], strict=True):
        assert above.count("│") == below.count("│")
        assert sum(map(cell_width, above)) == sum(map(cell_width, below)) <= 24
    ids = [int(cell) for line in lines[1::2] for cell in line.split("│") if cell.strip()]
    assert ids == tokens


def test_a_narrow_builder_never_cuts_a_character() -> None:
    out = Builder(3)
    out.add(("水水水ab", "given"))
    out.new_line()
    assert [line.plain for line in out.lines] == ["水", "水", "水a", "b"]


def test_facts_of_a_text(tokenizer: Tokenizer) -> None:
    i18n.set_language("en")
    text = "水 <eos> 鲸"
    said = facts(tokenizer, text, tokenizer.encode(text))
    assert "9 characters" in said
    assert "13 bytes" in said
    assert "✓ reads back" in said
    small = train_char(iter(["abc"]), 300)
    assert "✗ does not read back" in facts(small, "abz", small.encode("abz"))
    assert "0.00" in facts(small, "", [])


# -- gathering --------------------------------------------------------------------------------------------------------


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def corpus_of(folder: Path, count: int = 60) -> Config:
    rows = [{"prompt": f"第{i}个问题？", "completion": f"这是第{i}个问题的答案。"} for i in range(count)]
    train = write_rows(folder / "train.jsonl", [*rows, rows[0], rows[0]])
    valid = write_rows(folder / "valid.jsonl", [rows[3], {"prompt": "新的问题？", "completion": "新的答案。"}])
    return load_config("teacher").update(
        {"data.train": str(train), "data.valid": str(valid), "tokenizer.vocab_size": 300}
    )


def texts(view: DataView, kind: str | None = None) -> list[str]:
    return [line.text for line in view.lines if kind is None or line.kind == kind]


def test_the_report_says_what_the_doctor_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from gpt_tui.cli import main

    config = corpus_of(tmp_path)
    view = gather(config)
    assert view.problem == ""
    assert main(["--lang", "en", "doctor", config.data.train, str(config.data.valid)]) == 0
    doctor = capsys.readouterr().out
    for words in ("62 rows, 60 unique", "2 exact duplicates (one row stands there 3 times)"):
        assert words in doctor
        assert any(words in text for text in texts(view))
    assert any(text.startswith("2 exact duplicates") for text in texts(view, "!"))
    assert "1 validation rows also stand in the training file" in texts(view, "!")
    assert "60 rows to train on, 1 to evaluate on" in texts(view)
    assert view.train is not None
    assert view.valid is not None
    assert (len(view.train), len(view.valid)) == (60, 1)


def test_without_a_validation_file_a_part_is_kept(tmp_path: Path) -> None:
    config = corpus_of(tmp_path).update({"data.valid": None})
    view = gather(config)
    assert any("10%" in text for text in texts(view))
    assert view.valid is not None
    assert len(view.valid) == 6


@pytest.mark.parametrize("large", [False, True])
def test_rows_for_a_test_are_no_duplicates(tmp_path: Path, large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    config = corpus_of(tmp_path).update({"data.valid": None, "data.test_fraction": 0.2})
    if large:
        monkeypatch.setattr("gpt_tui.widgets.report_data.MAX_BYTES", 10)
    shown = texts(gather(config))
    assert "12 rows are kept for a test at the end" in shown
    assert "42 rows to train on, 6 to evaluate on" in shown
    assert "2 rows are left out as duplicates or leaks (data.duplicates, data.leaks)" in shown


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "no rows"), (b"{\n", "not valid JSON"), (b"\xff\n", "UTF-8"), (b'{"a":1}\n', "no question and answer")],
)
def test_data_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    config = corpus_of(tmp_path)
    Path(config.data.train).write_bytes(content)
    view = gather(config)
    assert said in view.problem
    assert "\n" not in view.problem
    assert view.train is None
    assert summary_text(view).startswith("✗ ")


def test_a_missing_file_leaves_the_runs_tokenizer(tmp_path: Path, tokenizer: Tokenizer) -> None:
    config = corpus_of(tmp_path)
    file = tmp_path / "tokenizer.json"
    file.write_text(tokenizer.to_json(), encoding="utf-8")
    assert gather(config, file).tokenizer is not None
    assert gather(config, file).tokenizer.vocab_size == tokenizer.vocab_size  # type: ignore[union-attr]
    Path(config.data.train).unlink()
    view = gather(config, file)
    assert "no such file" in view.problem
    assert view.tokenizer is not None


def test_of_a_large_file_only_the_first_part_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpt_tui.widgets.report_data.MAX_BYTES", 100)
    monkeypatch.setattr("gpt_tui.widgets.report_data.MAX_ROWS", 10)
    monkeypatch.setattr("gpt_tui.widgets.report_data.MAX_CHARACTERS", 50)
    config = corpus_of(tmp_path)
    view = gather(config)
    assert view.train is not None
    assert len(view.train) == 10
    assert texts(view, "!")[0].startswith("a large file: only its first part"), "before what is not true of all of it"
    assert view.valid is not None
    assert (view.train.partly, view.valid.partly) == (True, Path(config.data.valid or "").stat().st_size > 100)
    book = tmp_path / "book.txt"
    book.write_text("水" * 1000, encoding="utf-8")
    view = gather(config.update({"data.train": str(book)}))
    assert view.train is not None
    assert "50 characters" in " ".join(texts(view))


def test_nobody_waits_any_more(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        gather(corpus_of(tmp_path), wanted=lambda: False)


def test_the_page_is_made_anew_only_when_it_would_differ(tmp_path: Path) -> None:
    config = corpus_of(tmp_path)
    key = data_key(config)
    assert data_key(config.update({"training.lr": 0.1, "data.probes": []})) == key
    assert data_key(config.update({"model.seq_len": 64})) != key
    write_rows(Path(config.data.train), [{"prompt": "a", "completion": "b"}])
    assert data_key(config) != key
    assert data_key(config.update({"data.train": "/none"})) != key


def test_a_page_folds_its_long_lines() -> None:
    view = DataView(lines=[Line("/a/b", "title"), Line("水很重要 and so are words " * 6, "!"), Line(""), Line("plain")])
    for width in (20, 40, 78):
        text = report_content(view, width).plain
        assert all(sum(map(cell_width, line)) <= max(width, 26) for line in text.splitlines())
        assert "! 水很重要" in text
    assert summary_text(view) == "! 1 thing wants a look"


def test_the_pane_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, gpt_tui.panes.data, gpt_tui.panes.runs; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


# -- the pane ---------------------------------------------------------------------------------------------------------


class Host(App[None]):
    CSS_PATH: ClassVar[list[str | Path]] = [HERE / "app.tcss", HERE / "panes" / "data.tcss"]  # type: ignore[misc]

    def __init__(self, config: Config, runs: Path) -> None:
        super().__init__()
        self.pane = DataPane(Desk(config, config, runs, session=Session()))

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.shown()

    @property
    def pages(self) -> RowPages:
        return self.query_one(RowPages)

    def numbers(self) -> list[int]:
        """Numbers of the rows on the page, counted from 1."""
        return [row.number + 1 for row in self.pages._page]

    def text(self) -> str:
        return "\n".join("".join(part.text for part in strip) for strip in self.screen._compositor.render_strips())


def drive(
    config: Config, act: Callable[[Host, Pilot[None]], Awaitable[None]], size: tuple[int, int] = (80, 24),
    runs: Path = Path("none"),
) -> None:  # fmt: skip
    async def go() -> None:
        app = Host(config, runs)
        async with app.run_test(size=size) as pilot:
            await settle(app, pilot)
            await act(app, pilot)

    asyncio.run(go())


async def settle(app: Host, pilot: Pilot[None]) -> None:
    """Wait for the threads and what they post."""
    for _ in range(300):
        await pilot.pause()
        if app.pane._view is not None and all(worker.is_finished for worker in app.workers):
            break
        await asyncio.sleep(0.01)
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_report_is_the_first_thing_to_see(tmp_path: Path, size: tuple[int, int]) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        assert "things want a look" in app.text()
        assert "! 2 exact duplicates" in app.text()
        await pilot.press("pagedown", "pagedown", "down")
        assert "vocabulary: 300 tokens" in app.text()
        await pilot.press("pageup", "pageup", "up")
        assert "things want a look" in app.text()

    drive(corpus_of(tmp_path), act, size)


def test_paging_shows_every_row_once_there_and_back(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("w")
        await pilot.pause()
        there = [app.numbers()]
        while there[-1][-1] < 60:
            await pilot.press("n")
            there.append(app.numbers())
        assert [n for page in there for n in page] == list(range(1, 61))
        assert all(len(page) >= 4 for page in there[:-1])
        await pilot.press("n")
        assert app.numbers() == there[-1]
        back = [app.numbers()]
        while back[-1][0] > 1:
            await pilot.press("p")
            back.append(app.numbers())
        assert len(back) <= len(there) + 1
        await pilot.press("end")
        assert app.numbers()[-1] == 60
        await pilot.press("home", "down", "down", "up")
        assert app.numbers()[0] == 2
        assert "«" in app.text()
        assert "<eos>" in app.text()

    drive(corpus_of(tmp_path), act)


def test_search_jump_and_all_rows_again(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("w", "slash", *"第7个", "enter")
        await settle(app, pilot)
        assert app.numbers() == [8], "the first row is number 0 in words"
        assert app.pane.has_focus
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.numbers()[0] == 1
        await pilot.press("slash", *"#42", "enter")
        await settle(app, pilot)
        assert app.numbers()[0] == 42
        app.query_one("#rows-search", Input).value = "nowhere"
        await asyncio.sleep(0.4)  # the delay after which a search begins by itself
        await settle(app, pilot)
        assert app.numbers() == []
        assert "no row holds that" in app.text()

    drive(corpus_of(tmp_path), act)


def test_of_a_large_file_the_pages_say_that_they_are_its_first_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpt_tui.widgets.report_data.MAX_BYTES", 100)
    monkeypatch.setattr("gpt_tui.widgets.report_data.MAX_ROWS", 10)

    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("w")
        await settle(app, pilot)
        assert "of the first 10" in str(app.query_one("#rows-place", Static).content)
        app.query_one("#rows-search", Input).value = "第30个"
        await asyncio.sleep(0.4)
        await settle(app, pilot)
        assert "more of this large file was not read" in app.text()

    drive(corpus_of(tmp_path), act)


def test_the_pages_say_why_there_are_no_rows(tmp_path: Path) -> None:
    config = corpus_of(tmp_path)
    Path(config.data.train).write_bytes(b"{\n")

    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("w")
        await settle(app, pilot)
        assert "not valid JSON" in app.text()
        assert str(app.query_one("#data-file", Static).content).startswith("✗ train.jsonl:1: not")

    drive(config, act)


def test_the_line_on_top_leaves_out_folders_and_no_words(tmp_path: Path) -> None:
    config = corpus_of(tmp_path)
    Path(config.data.train).write_bytes(b'{"a": 1}\n')

    async def act(app: Host, pilot: Pilot[None]) -> None:
        await settle(app, pilot)
        line = app.query_one("#data-file", Static)
        assert str(line.content).startswith("✗ train.jsonl:1: no question and answer found; expected prompt/completion")

    drive(config, act, size=(200, 40))


def test_cut_rows_only_and_the_part_to_evaluate_on(tmp_path: Path) -> None:
    config = corpus_of(tmp_path)
    with open(config.data.train, "a", encoding="utf-8") as file:
        long = "".join(chr(0x4E00 + i) for i in range(60))  # three bytes and tokens each: no pair comes twice
        for row in ({"prompt": long, "completion": "答案。"}, {"prompt": "问？", "completion": long}):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("w", "c")
        await settle(app, pilot)
        assert app.pages.look.numbers == [60, 61]
        assert "‹cut│" in app.text()
        await pilot.press("down")
        assert "left out" in app.text()
        assert "[x]" in app.text()
        await pilot.press("v")
        await settle(app, pilot)
        assert "no row was cut" in app.text()
        await pilot.press("c")
        await settle(app, pilot)
        assert app.numbers() == [1]
        await pilot.click("#rows-part")
        await settle(app, pilot)
        assert app.pages.look.part == "train"
        await pilot.press("i")
        assert "·1│" in app.text()

    drive(config.update({"model.seq_len": 40, "tokenizer.vocab_size": 300}), act)


def test_a_row_longer_than_the_screen_is_scrolled_before_the_next(tmp_path: Path) -> None:
    rows = [{"text": "水在一百度时沸腾。" * 100}, {"text": "短的文字。"}]
    config = load_config("teacher").update(
        {"data.train": str(write_rows(tmp_path / "t.jsonl", rows)), "data.valid": None, "model.seq_len": 4096,
         "data.template": "plain", "tokenizer.vocab_size": 260, "data.valid_fraction": 0.0}
    )  # fmt: skip

    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("w")
        await pilot.pause()
        assert app.numbers() == [1]
        await pilot.press("n")
        assert app.numbers() == [1]
        for _ in range(60):
            await pilot.press("n")
        assert app.numbers() == [2]

    drive(config, act)


def test_the_tokenizer_answers_while_one_types(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("t")
        area = app.query_one(TryArea)
        assert area.has_focus
        assert area.text == "什么是注意力机制？"
        area.load_text("")
        await pilot.press(*"鲸ab")
        await pilot.pause()
        assert "\\xe9" in app.text()
        assert "3 characters · 5 bytes" in app.text()
        assert "✓ reads back" in app.text()
        app.post_message(events.Paste("x\x1b[2J\r\ny"))
        await pilot.pause()
        assert area.text == "鲸abx\\x1b[2J\ny"
        area.load_text("水" * (MOST_CHARACTERS + 5))
        await pilot.pause()
        assert f"the first {MOST_CHARACTERS} characters" in app.text()
        await pilot.press("escape", "r")
        assert app.pane._open == "report"

    drive(corpus_of(tmp_path), act)


def unbroken(text: str) -> str:
    """Without the breaks that the screen puts into a long path."""
    return "".join(text.split())


def test_a_failure_is_shown_in_place_of_the_page(tmp_path: Path) -> None:
    config = corpus_of(tmp_path).update({"data.train": str(tmp_path / "[red]gone\x1b.jsonl")})

    async def act(app: Host, pilot: Pilot[None]) -> None:
        assert "no such file" in app.text()
        assert "[red]gone\\x1b" in unbroken(app.text())
        await pilot.press("w", "n", "p", "home", "end", "c", "v", "i")
        await settle(app, pilot)
        assert "nosuchfile" in unbroken(app.text())
        await pilot.press("t")
        assert "no tokenizer yet" in app.text()
        await pilot.press("escape")
        write_rows(Path(app.pane.desk.config.data.train), [{"prompt": "a", "completion": "b"}])
        await pilot.press("f5")
        await settle(app, pilot)
        assert app.pane._view is not None
        assert app.pane._view.problem == ""

    drive(config, act)


def test_a_fault_of_the_reading_is_shown_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_options: object) -> DataView:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("gpt_tui.panes.data.gather", broken)

    async def act(app: Host, pilot: Pilot[None]) -> None:
        assert "ZeroDivisionError: oh" in app.text()

    drive(corpus_of(tmp_path), act)


def test_other_settings_are_read_when_the_tab_is_opened(tmp_path: Path) -> None:
    config = corpus_of(tmp_path)

    async def act(app: Host, pilot: Pilot[None]) -> None:
        first = app.pane._view
        app.pane.shown()
        await settle(app, pilot)
        assert app.pane._view is first
        app.pane.desk.config = config.update({"model.seq_len": 16})
        app.pane.shown()
        await settle(app, pilot)
        assert app.pane._view is not first
        assert "cut to 16 tokens" in app.text()
        app.pane.post_message(DataPane.Read(0, DataView(problem="late")))  # of an earlier turn
        await settle(app, pilot)
        assert "late" not in app.text()

    drive(config, act)


def test_the_data_of_a_run(tmp_path: Path, tokenizer: Tokenizer) -> None:
    config = corpus_of(tmp_path)
    run = tmp_path / "runs" / "[b]mine"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(to_yaml(config.update({"data.valid": None}).to_dict()), encoding="utf-8")
    (run / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
    broken = tmp_path / "runs" / "broken"
    broken.mkdir()
    (broken / "config.yaml").write_text("model: 3\n", encoding="utf-8")

    async def act(app: Host, pilot: Pilot[None]) -> None:
        select = app.query_one("#data-source", Select)
        select.value = run
        await settle(app, pilot)
        assert app.pane._view is not None
        assert app.pane._view.tokenizer is not None
        assert app.pane._view.tokenizer.vocab_size == tokenizer.vocab_size
        assert "10%" in "".join(line.text for line in app.pane._view.lines)
        assert "[b]mine" in app.text()
        select.value = broken
        await settle(app, pilot)
        assert "config.yaml" in unbroken(app.text())
        await pilot.press("s")
        await pilot.pause()
        assert select.expanded
        await pilot.press("escape")

    drive(config, act, runs=tmp_path / "runs")


def test_the_other_language_keeps_what_one_looks_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "_language", "en")

    async def act(app: Host, pilot: Pilot[None]) -> None:
        app.query_one(TryArea).load_text("水")
        await pilot.press("w", "slash", *"第7个", "enter")
        await settle(app, pilot)
        monkeypatch.setattr(i18n, "_language", "zh")
        await app.pane.retranslate()
        app.pane.shown()
        await settle(app, pilot)
        assert app.numbers() == [8]
        assert "要学的" in app.text().replace(" ", "")
        assert app.query_one(TryArea).text == "水"
        assert app.query_one(ReportText)._view is not None
        assert any("完全重复" in line.text for line in app.query_one(ReportText)._view.lines)
        for line in app.text().splitlines():
            assert sum(map(cell_width, line)) <= 80

    drive(corpus_of(tmp_path), act)


def test_another_language_while_the_data_is_read(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        for _ in range(5):
            app.pane.action_reload()
            await asyncio.gather(app.pane.retranslate(), pilot.pause())
        await settle(app, pilot)
        assert "things want a look" in app.text()

    drive(corpus_of(tmp_path), act)


def test_a_fault_of_a_search_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("gpt_tui.widgets.token_row_pages.select", broken)

    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("w", "c")
        await settle(app, pilot)
        assert "ZeroDivisionError: oh" in app.text()

    drive(corpus_of(tmp_path), act)


def test_the_text_of_rows_can_be_selected(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("w")
        await pilot.pause()
        await pilot.mouse_down("#rows-text", offset=(0, 1))
        await pilot.hover("#rows-text", offset=(9, 1))
        await pilot.mouse_up("#rows-text", offset=(9, 1))
        await pilot.pause()
        assert (app.screen.get_selected_text() or "").startswith("<bos>│\\xe7")

    drive(corpus_of(tmp_path), act)


def test_resizing_lays_the_page_out_anew(tmp_path: Path) -> None:
    async def act(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("w")
        await pilot.pause()
        before = len(app.numbers())
        await pilot.resize_terminal(120, 40)
        for _look in range(500):
            if len(app.numbers()) > before:
                break
            await pilot.pause(0.02)
        assert len(app.numbers()) > before
        place = app.query_one("#rows-place", Static)
        assert str(place.content) == f"rows 1–{len(app.numbers())} of 60"

    drive(corpus_of(tmp_path), act)


def test_every_action_has_its_method() -> None:
    for action in ACTIONS:
        assert hasattr(DataPane, f"action_{action.id.partition('(')[0]}")
        assert action.label in TEXTS
        assert action.help in TEXTS
