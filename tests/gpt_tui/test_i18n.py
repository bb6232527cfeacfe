"""Every text that people see has its Chinese, with the same values in it; and no Chinese is left over."""

from __future__ import annotations

import ast
import contextlib
import json
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import config, events
from core.config import load_config, recipe_names
from core.errors import ConfigError, DataError, Phrase, UserError
from core.records import read_records
from core.schema import Settings
from core.skeleton import count_parameters
from gpt_tui import cli, console, i18n, zh, zh_foreign

ROOT = Path(__file__).parents[2]
PYTHON = sorted((ROOT / "gpt_tui").rglob("*.py"))
CORE = sorted((ROOT / "core").rglob("*.py"))


@pytest.fixture
def chinese() -> Iterator[None]:
    i18n.set_language("zh")
    yield
    i18n.set_language("en")


# -- what is in the sources ---------------------------------------------------------------------------------


def literals(node: ast.AST) -> Iterator[str]:
    """The texts an argument may be: itself, or the branches of ``a if x else b``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)


def calls(files: list[Path], wanted: re.Pattern[str]) -> dict[str, str]:
    """First arguments of calls of functions of such a name, and where each stands."""
    found: dict[str, str] = {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                if wanted.fullmatch(name):
                    found |= {text: f"{file.relative_to(ROOT)}:{node.lineno}" for text in literals(node.args[0])}
    return found


def setting_texts() -> Iterator[str]:
    """Help and units of all settings, sections and parts of lists included."""
    from core import schema

    for section in vars(schema).values():
        if isinstance(section, type) and issubclass(section, schema.Section):
            for info in section.model_fields.values():
                yield info.description or ""
                extra = info.json_schema_extra
                yield str(extra["unit"]) if isinstance(extra, dict) else ""


def chosen_while_running() -> Iterator[str]:
    """Texts that reach ``_`` by way of a variable."""
    yield cli.EXAMPLES
    for summary in cli.COMMANDS.values():
        yield summary
        yield summary[0].upper() + summary[1:] + "."
    yield from console.REASONS.values()
    yield from ("running", "finished", "stopped", "empty", "damaged")  # Run.state(), gpt-tui runs
    yield from count_parameters(Settings().model, 300)
    yield from ("total", "train", "valid")
    yield from config._LIMITS.values()


#: Errors of this program, also where a function gets their class as ``error``; not built-in ones.
RAISED = re.compile(r"(?:User|Config|Data|Checkpoint|Run)Error|error|fail|Notice|Phrase|_bad")


def wanted() -> dict[str, str]:
    """All texts that need a translation, and where each comes from."""
    found = calls(PYTHON, re.compile("_|" + RAISED.pattern)) | calls(CORE, RAISED)
    found |= dict.fromkeys(setting_texts(), "core/schema.py")
    found |= dict.fromkeys(chosen_while_running(), "chosen while running")
    found |= {load_config(name).description: f"core/recipes/{name}.yaml" for name in recipe_names()}
    found.pop("", None)
    return found


def placeholders(text: str) -> list[str]:
    """``{name}`` and ``{name:format}`` of a text, and ``%s`` or ``%(name)s`` of argparse's."""
    braces = [f"{name}:{spec}" for _, name, spec, _ in string.Formatter().parse(text) if name is not None]
    return sorted(braces + re.findall(r"%(?:\(\w+\))?[sr]", text))


def test_every_text_has_a_translation() -> None:
    missing = {text: where for text, where in wanted().items() if text not in zh.TEXTS}
    assert not missing


def test_translations_take_the_same_values() -> None:
    wrong = {text: other for text, other in zh.TEXTS.items() if placeholders(text) != placeholders(other)}
    assert not wrong


def test_no_translation_is_unused() -> None:
    needed = wanted()
    every = {
        node.value
        for file in [*PYTHON, *CORE]
        if not file.name.startswith("zh")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    left_over = [text for text in zh.TEXTS if text not in needed and text not in every | zh_foreign.TEXTS.keys()]
    # The form asks for units and bounds by keys of its own, made when it is drawn.
    assert not [text for text in left_over if not text.startswith("[unit] ") and "{0}" not in text]


def test_no_text_is_translated_in_two_ways() -> None:
    assert not [text for part in zh.PARTS for text, chinese in part.TEXTS.items() if zh.TEXTS[text] != chinese]


def test_translations_are_chinese() -> None:
    """Only what has no words in it, such as ``{problem}``, may be the same in both languages."""
    same = {"{problem}", "{where}{key}: {problem}{more}", "true/false", "auto"}
    assert {text for text, other in zh.TEXTS.items() if not has_chinese(other)} == same
    # Half-width marks behind Chinese read badly, but YAML wants them, and help's headings have argparse's.
    marks = re.compile(r"[\u4e00-\u9fff][,;?!:](?!\Z| \Z)")
    assert not [other for other in zh.TEXTS.values() if marks.search(re.sub("回答:|键: 值", "", other))]


def has_chinese(text: str) -> bool:
    return re.search("[\u4e00-\u9fff]", text) is not None


# -- the language -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "C"}, "en"),
        ({"LC_MESSAGES": "zh_TW.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LC_ALL": "C.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "ZH_CN", "LANG": "C"}, "zh"),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": "zh_CN"}, "zh"),
    ],
)
def test_the_environment_says_the_language(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], language: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert i18n.detect_language() == language


@pytest.mark.parametrize(("name", "language"), [("zh_CN", "zh"), ("Chinese (Simplified)_China", "zh"), (None, "en")])
def test_without_variables_the_system_says_it(monkeypatch: pytest.MonkeyPatch, name: str | None, language: str) -> None:
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("locale.getlocale", lambda: (name, "UTF-8"))
    assert i18n.detect_language() == language


def test_the_option_comes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    for arguments, chinese in ((["--lang", "en", "--help"], False), (["--help"], True)):
        with pytest.raises(SystemExit):
            cli.main(arguments)
        assert has_chinese(capsys.readouterr().out.replace("什么是注意力机制", "")) == chinese
    i18n.set_language("en")


# -- what comes out -----------------------------------------------------------------------------------------


def english_words(text: str) -> list[str]:
    """Two English words in a row are a sentence; names of options, settings and commands are not."""
    for known in ("gpt-tui", r"--[\w-]+", *cli.COMMANDS, "show", "delete", "build", "inspect", "make"):
        text = re.sub(rf"(?<![\w-]){known}(?![\w-])", ".", text)
    return re.findall(r"\b[A-Za-z']{2,} [a-z']{2,}\b", text)


SUBCOMMANDS = ("tokenizer build", "tokenizer inspect", "corpus make", "import gpt2", "import seed")


@pytest.mark.parametrize("command", ["", *cli.COMMANDS, *SUBCOMMANDS])
def test_help_is_chinese_and_fits_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, chinese: None, command: str
) -> None:
    from core.text import cell_width

    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main(["--lang", "zh", *command.split(), "--help"])
    text = capsys.readouterr().out
    assert english_words(text) == []
    assert all(word in text for word in ("用法", "选项", "显示这段帮助并退出"))
    assert max(sum(map(cell_width, line)) for line in text.splitlines()) <= 80


@pytest.mark.parametrize(
    "arguments",
    [
        ["trian"],
        ["train", "--steps", "x"],
        ["train", "--steps"],
        ["train", "--stpes", "3"],
        ["runs", "foo"],
        ["ask"],
        ["doctor"],
        ["tokenizer"],
        ["--lang", "zh"],
        ["ask", "?", "--run", "none"],
        ["runs", "delete"],
        ["doctor", "no-such.jsonl"],
        ["params", "--recipe", "techer"],
        ["params", "--set", "x"],
        ["params", "--set", "training.lrr=1"],
        ["params", "--set", "training.lr=a"],
        ["params", "--set", "training.min_lr=0.9"],
        ["params", "--set", "model.n_head=3"],
        ["params", "--set", "model.n_layer=0"],
        ["params", "--set", "training.threads=0.5"],
        ["params", "--set", "data.probes=[{}]"],
        ["params", "--set", "data.train=''"],
        ["params", "--set", "model.norm=x"],
        ["params"],
        ["params", "--set", "tokenizer.vocab_size=824"],
        ["runs"],
    ],
)
def test_commands_and_errors_are_chinese(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    chinese: None,
    arguments: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with contextlib.suppress(SystemExit):
        cli.main(["--lang", "zh", *arguments])
    output = "".join(capsys.readouterr())
    assert has_chinese(output)
    assert english_words(output) == []


def test_english_stays_as_argparse_has_it() -> None:
    """The command's own process, as another test has already changed this one's argparse."""
    command = [sys.executable, "-m", "gpt_tui", "--lang", "en", "train", "--steps"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr == ("gpt-tui train: argument --steps: expected one argument (see gpt-tui train --help)\n")


def test_python_3_10_does_not_translate_how_an_error_begins(capsys: pytest.CaptureFixture[str], chinese: None) -> None:
    with pytest.raises(SystemExit):
        cli.Parser(prog="gpt-tui").error("argument --steps: 需要一个值")
    assert capsys.readouterr().err == "gpt-tui: 参数 --steps：需要一个值（用法见 gpt-tui --help）\n"


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ('{"prompt": 3', "JSON 有误"),
        ("[]", "对象"),
        ("3", "对象"),
        ('{"prompt": "a", "completion": ""}', "是空的"),
        ('{"prompt": null, "completion": "b"}', "空值"),
        ('{"a": 1}', "现有的键：a"),
        ('{"messages": [1]}', "第 1 条消息：应为对象"),
        ('{"messages": [{"role": "x"}]}', "“role”必须是"),
        ('{"conversations": [{"from": "x"}]}', "“from”必须是"),
        ('{"messages": [{"role": "user", "content": ""}]}', "“content”必须是非空文本"),
        ('{"messages": [{"role": "assistant", "content": "a"}]}', "回答之前没有问题"),
        ('{"messages": [{"role": "user", "content": "a"}]}', "没有可学习的回答"),
    ],
)
def test_errors_in_data_are_chinese_to_the_end(tmp_path: Path, chinese: None, rows: str, part: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"prompt": "a", "completion": "b"}}\n{rows}\n', encoding="utf-8")
    with pytest.raises(DataError) as caught:
        list(read_records(path))
    text = i18n.translated(caught.value)
    assert part in text
    assert english_words(text.replace(str(path), "")) == []


def test_errors_in_settings_are_chinese_to_the_end(tmp_path: Path, chinese: None) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("training:\n  lr: 3\n  beta1: 1.0\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load_config(file=path)
    assert i18n.translated(caught.value) == (
        f"{path}:2: training.lr：得到 3，允许：大于 0 且不超过 1 的数（另有 1 处）"
    )
    for setting in config.settings().values():
        assert english_words(i18n.translated(setting.allowed()).replace(", ", "、")) == [], setting.key


def test_a_phrase_is_a_plain_string_in_english() -> None:
    inner = Phrase("{n} rows", n=3)
    error = UserError("{file}: {what}", file="a", what=inner)
    assert str(error) == "a: 3 rows"
    assert i18n.translated(error) == "a: 3 rows"
    assert json.dumps({"what": inner}) == '{"what": "3 rows"}'
    assert Phrase("{not a value}") == "{not a value}"


def test_an_error_inside_a_notice_is_translated(chinese: None) -> None:
    problem = UserError("{path}: no such checkpoint", path="step-1")
    notice = events.Notice("{problem}; the checkpoint before it is used", {"problem": str(problem)}, level="warning")
    assert list(console.lines(notice)) == ["警告：step-1：没有这个检查点；改用它之前的检查点"]
    notice = events.Notice("int8 checkpoint not written: {reason}", {"reason": "No space left on device"})
    assert list(console.lines(notice)) == ["提示：int8 检查点没有写入：磁盘空间不足"]


def test_all_lines_of_a_training_are_chinese(chinese: None) -> None:
    part = {"rows": 3, "tokens": 9, "supervised_tokens": 4, "length": {"p50": 3, "max": 4}, "padding_share": 0.1}
    rates = {"exact": 1, "total": 2, "exact_rate": 0.5, "ci95": (0.1, 0.9), "majority_rate": 0.2}
    happened: list[events.Event] = [
        events.Started("a", "runs/a", "teacher", 3, "cpu", 2, "fp32", 9, 300, 8, 1.5, {"train": part, "valid": part}),
        events.Notice("{name}: {lost} rows left out, their answers are longer than model.seq_len ({where})",
                      {"name": "train", "lost": 2, "where": "a.jsonl:3"}, level="warning"),
        events.Step(2, 3.0, 1e-3, 1.0, 100.0, 1.0, None),
        events.Eval(2, 3.0, 3.0, 2, improved=True),
        events.Eval(4, 3.5, 3.0, 2),
        events.Saved(4, "runs/a/x", "best", 1000),
        events.Skipped(4, 1),
        events.RolledBack(4, 2, 0.5),
        events.Changed(4, {"training.lr": 1e-3}),
        events.State("paused"),
        events.State("verifying"),
        events.State("answering"),
        events.Responses(4, "runs/a/responses.json", 3, 1, 2.5),
        events.State("tokenizing"),
        events.State("making_corpus"),
        events.State("downloading"),
        events.Sample(4, 1, "小满", "走进钟铺。"),
        events.Verified(4, {"valid_unseen": rates, "valid": rates, "train": {**rates, "by_kind": {"x": rates}}}),
        events.Quantized(4, "runs/a/int8", 10, 40, 1.0, 3, 9.0, 9.0),
        events.Quantized(4, "runs/a/int8", 10, 40, 1.0, 0, 0.0, 0.0),
        *[events.Finished(reason, 4, 1.0) for reason in console.REASONS],
    ]  # fmt: skip
    for event in happened:
        lines = list(console.lines(event, 8))
        assert lines
        for line in lines:
            assert english_words(line) == []
            assert has_chinese(line) or line.startswith("  x："), line


def test_what_a_person_wrote_is_never_translated(chinese: None) -> None:
    """A run may be called like a word of the program."""
    error = UserError("no run '{name}' in {folder}; there are: {names}", name="train", folder="runs", names="empty")
    assert i18n.translated(error) == "runs 中没有运行记录“train”；现有：empty"
