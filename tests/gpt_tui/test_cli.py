"""The command line as a whole: help, languages, options, exit codes, errors, streams."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.config import recipe_names
from gpt_tui import __version__, cli

Cli = Callable[..., Any]
Shell = Callable[..., subprocess.Popen[bytes]]
COMMANDS = [*cli.COMMANDS, "tokenizer build", "tokenizer inspect"]


def one_line(text: str) -> str:
    """The only line of a text; no error is longer, and none is a traceback."""
    (line,) = text.splitlines()
    assert text.endswith("\n")
    assert "Traceback" not in text
    return line


# -- help -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize(("language", "heading"), [("zh", "用法"), ("en", "usage")])
def test_every_help_in_both_languages(gpt_tui: Cli, command: str, language: str, heading: str) -> None:
    for option in ("--help", "-h"):
        done = gpt_tui("--lang", language, *command.split(), option)
        assert done.code == 0
        assert done.err == ""
        assert done.out.startswith(heading)
        for own in ("--lang", "--no-ui") if command in ("", *cli.COMMANDS) else ("--runs-dir",)[:0]:
            assert own in done.out


def test_help_names_every_command_and_gives_examples(gpt_tui: Cli) -> None:
    out = gpt_tui("--help").out
    for name, summary in cli.COMMANDS.items():
        assert any(row.split() == [name, *summary.split()] for row in out.splitlines())
    assert "gpt-tui --no-ui train --set training.lr=5e-4" in out


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("train", "--recipe --config --set --data --valid --steps --minutes --run --resume --json"),
        ("ask", "--run --checkpoint --temperature --top-k --top-p --repetition-penalty --stop --max-new-tokens "
                "--min-new-tokens --seed --show-label --json"),
        ("chat", "--run --checkpoint --temperature --top-k --top-p --repetition-penalty --stop --max-new-tokens "
                 "--min-new-tokens --seed --show-label --json"),
        ("eval", "--run --checkpoint --data --show --json"),
        ("doctor", "--recipe --json"),
        ("params", "--recipe --set --json"),
    ],
)  # fmt: skip
def test_the_options_that_scripts_rely_on(gpt_tui: Cli, command: str, options: str) -> None:
    out = gpt_tui(command, "--help").out
    for option in [*options.split(), "--no-ui", "--lang", "--runs-dir"]:
        assert f" {option} " in out.replace(",", " ").replace("]", " ").replace("\n", " "), option


def test_version(gpt_tui: Cli) -> None:
    assert gpt_tui("--version").out == f"gpt-tui {__version__}\n"
    assert gpt_tui("--lang", "zh", "--version").code == 0


IMPORTS = """
import sys
from gpt_tui.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
heavy = {"torch", "textual", "pydantic", "numpy", "tokenizers", "safetensors", "rich", "plotext", "yaml", "psutil"}
print(code, *sorted(heavy & sys.modules.keys()), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--help"], "0"),
        (["--lang", "zh", "--help"], "0"),
        (["--version"], "0"),
        (["--no-ui", "train", "--help"], "0"),
        (["runs", "--help"], "0"),
        (["ask", "--help"], "0 pydantic"),  # its options are settings of the schema
        (["runs", "--wrong"], "2"),
        (["runs", "--runs-dir", "nowhere"], "0 psutil pydantic tokenizers yaml"),
        (["params", "--json"], None),
    ],
)
def test_what_is_imported(arguments: list[str], wanted: str | None, helpers: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *arguments], capture_output=True, text=True, encoding="utf-8", cwd=helpers.root
    )
    found = done.stderr.splitlines()[-1]
    if wanted is None:  # so that this test can tell the difference
        assert "torch" in found
        assert "textual" not in found
    else:
        assert found == wanted


# -- options --------------------------------------------------------------------------------------------------


def test_global_options_stand_before_or_behind_the_command(gpt_tui: Cli, trained: Path, tmp_path: Path) -> None:
    folder, empty = str(trained.parent), str(tmp_path)
    for arguments in (
        ["--runs-dir", folder, "--lang", "zh", "--no-ui", "runs"],
        ["runs", "--runs-dir", folder, "--lang", "zh", "--no-ui"],
        ["--no-ui", "runs", f"--runs-dir={folder}", "--lang=zh"],
        ["--lang", "zh", "runs", "--runs-dir", folder],
        ["--runs-dir", folder, "runs", "--lang", "zh"],
        ["--lang", "en", "--runs-dir", empty, "runs", "--runs-dir", folder, "--lang", "zh"],  # the later one wins
    ):
        done = gpt_tui(*arguments)
        assert done.code == 0
        assert "tiny" in done.out
        assert "已完成" in done.out
    assert "no runs in" in gpt_tui("--runs-dir", empty, "runs").out


def test_global_options_stand_behind_a_second_word_too(gpt_tui: Cli, trained: Path, tmp_path: Path) -> None:
    behind = ["--runs-dir", str(trained.parent), "--lang", "zh", "--no-ui"]
    assert gpt_tui("tokenizer", "inspect", "水", *behind).code == 0
    done = gpt_tui("export", "bundle", "tiny", str(tmp_path / "a.zip"), *behind)
    assert (done.code, "已写入" in done.out) == (0, True)
    assert "没有这个文件" in gpt_tui("import", "bundle", str(tmp_path / "none.zip"), "--lang", "zh").err


def test_help_names_the_recipes(gpt_tui: Cli) -> None:
    said = " ".join(gpt_tui("train", "--help").out.split())
    assert "one of " + ", ".join(recipe_names()) in said


def test_the_language_of_the_environment(gpt_tui: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert "还没有" in gpt_tui("ask", "?").err
    assert "no trained run" in gpt_tui("--lang", "en", "ask", "?").err


def test_a_run_folder_from_the_environment(gpt_tui: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "tiny" in gpt_tui("runs").out
    monkeypatch.delenv("GPT_TUI_RUNS")
    assert "no runs in runs" in gpt_tui("runs").out


# -- wrong usage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["trian"], "invalid choice: 'trian'"),
        (["--no-ui", "train", "--stpes", "3"], "unrecognized arguments: --stpes 3, did you mean --steps?"),
        (["--no-iu", "runs"], "unrecognized arguments: --no-iu, did you mean --no-ui?"),
        (["eval", "--jsno"], "did you mean --json?"),
        (["eval", "--j"], "unrecognized arguments: --j"),  # no abbreviations: they would change their meaning
        (["train", "extra"], "unrecognized arguments: extra"),
        (["--no-ui", "train", "--steps", "many"], "invalid int value: 'many'"),
        (["--no-ui", "train", "--minutes", "long"], "invalid float value: 'long'"),
        (["ask"], "TEXT"),
        (["ask", "?", "--seed", "1.5"], "invalid int value"),
        (["doctor"], "FILE"),
        (["init"], "DIR"),
        (["tokenizer"], "ACTION"),
        (["tokenizer", "built"], "invalid choice"),
        (["runs", "remove"], "invalid choice"),
        (["--lang", "fr"], "invalid choice: 'fr'"),
        (["--lang"], "expected one argument"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(gpt_tui: Cli, arguments: list[str], part: str) -> None:
    done = gpt_tui(*arguments)
    assert done.code == 2
    assert done.out == ""
    line = one_line(done.err)
    assert part in line
    assert line.startswith("gpt-tui")
    assert "--help)" in line


def test_without_a_command_it_says_what_to_do(gpt_tui: Cli) -> None:
    done = gpt_tui()
    assert done.code == 2
    assert done.out == ""
    assert "gpt-tui --no-ui train" in one_line(done.err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--\x1b[31m\u202eb"],
        ["train", "\x9b2J"],
        ["tr\x1b[31m\u202eain"],
        ["train", "--steps", "\x1b]0;x\x07"],
        ["--lang", "\u202e"],
        ["runs", "\x1b[31m"],
    ],
)
def test_hostile_options_are_shown_harmless(gpt_tui: Cli, arguments: list[str]) -> None:
    done = gpt_tui(*arguments)  # the fixture looks at the output
    assert done.code == 2
    one_line(done.err)


# -- errors ---------------------------------------------------------------------------------------------------


def nothing(folder: Path) -> str:
    return str(folder / "nothing.jsonl")


def a_folder(folder: Path) -> str:
    return str(folder)


def a_fifo(folder: Path) -> str:
    os.mkfifo(folder / "pipe.jsonl")
    return str(folder / "pipe.jsonl")


def file_of(name: str, content: str | bytes) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return str(folder / name)

    return make


GOOD = '{"prompt": "水？", "completion": "水"}\n'
BAD_DATA = [
    (nothing, "nothing.jsonl: no such file"),
    (a_folder, "is a folder"),
    (a_fifo, "pipe.jsonl: is not a regular file"),
    (file_of("x.jsonl", GOOD + "\n" + '{"prompt": "水？", "compl'), "x.jsonl:3: not valid JSON"),
    (file_of("x.jsonl", GOOD + GOOD + "plain text\n"), "x.jsonl:3: not valid JSON"),
    (file_of("x.jsonl", GOOD.encode() + b'{"prompt": "\xff\xfe"}\n'), "x.jsonl:2: not UTF-8"),
    (file_of("x.jsonl", "[1]"), "row 1: expected an object"),
    (file_of("x.jsonl", GOOD + '{"a": 1}\n'), "x.jsonl:2: no question and answer found"),
    (file_of("x.jsonl", GOOD + '{"prompt": "a", "completion": " "}\n'), "x.jsonl:2: 'completion' is empty"),
    (file_of("x.jsonl", GOOD + '{"prompt": "a", "completion": {}}\n'), "x.jsonl:2: 'completion' must be text"),
    (file_of("x.jsonl", "[" * 10_000), "x.jsonl: not valid JSON: nested too deeply"),
    (file_of("\x1b[31m\u202e.jsonl", "x"), "\\x1b[31m\\u202e.jsonl:1: not valid JSON"),
    (file_of("x.jsonl", '{"\\u001b[31m\\u202e": 1}\n'), "found the keys: \\x1b[31m\\u202e"),
]


@pytest.mark.parametrize(("make", "part"), BAD_DATA)
@pytest.mark.parametrize("command", ["doctor", "train", "eval", "tokenizer"])
def test_bad_data_is_one_line_and_code_1(
    gpt_tui: Cli, trained: Path, tmp_path: Path, command: str, make: Callable[[Path], str], part: str
) -> None:
    path = make(tmp_path)
    arguments = {
        "doctor": ["doctor", path],
        "train": ["--no-ui", "train", "--data", path, "--runs-dir", str(tmp_path / "new"), "--steps", "2"],
        "eval": ["eval", "--data", path],
        "tokenizer": ["tokenizer", "build", path],
    }
    done = gpt_tui(*arguments[command])
    assert done.code == 1
    assert part in one_line(done.err)
    assert done.out == ""
    assert not Path("tokenizer.json").exists()


@pytest.mark.parametrize("command", ["doctor", "train"])
def test_empty_data(gpt_tui: Cli, tmp_path: Path, command: str) -> None:
    (tmp_path / "empty.jsonl").write_text("\n\n")
    path = tmp_path / "empty.jsonl"
    done = gpt_tui(*(["doctor", path] if command == "doctor" else ["--no-ui", "train", "--data", path]))
    assert done.code == 1
    assert "empty.jsonl: no rows in it" in one_line(done.err)


BAD_SETTINGS = [
    ("training:\n  lr: 3\n", "x.yaml:2: training.lr: found 3, allowed: a number above 0 and up to 1"),
    ("training:\n  lrr: 0.1\n", "x.yaml:2: training.lrr: unknown setting, did you mean 'training.lr'?"),
    ("trainig:\n  lr: 0.1\n", "x.yaml:1: trainig: unknown setting, did you mean 'training'?"),
    ("model:\n  n_layer: four\n", "x.yaml:2: model.n_layer: found 'four', allowed: a whole number from 1 to 96"),
    ("model:\n  norm: batch\n", "x.yaml:2: model.norm: found 'batch', allowed: one of rmsnorm"),
    ("model: [1]\n", "x.yaml:1: model: found a list"),
    ("a: b: c\n", "x.yaml:1: not valid YAML"),
    ("model:\n\t- x\n", "x.yaml:2: not valid YAML"),
    ("model:\n  n_head: 3\n", "n_embd (256) must be a multiple of n_head (3)"),
    ("training:\n  lr: 1e-3\n  lr: 1e-4\n", "x.yaml:3: not valid YAML: the key 'lr' is given twice"),
    ("- a\n- b\n", "x.yaml:1: expected 'key: value' lines"),
    ("model: &x {}\ndata: *x\n", "not valid YAML: anchors and aliases are not allowed"),
    ("'\\x1b[31m': 1\n", "unknown setting"),
    ('"\\e[31m\\u202e": 1\n', "\\x1b[31m\\u202e: unknown setting"),
    ('recipe: "\\e[31m"\n', "recipe: found"),
]


@pytest.mark.parametrize(("text", "part"), BAD_SETTINGS)
def test_bad_settings_are_one_line_and_code_1(gpt_tui: Cli, tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    for arguments in (["params", "--recipe"], ["--no-ui", "train", "--config"], ["doctor", "data", "--recipe"]):
        done = gpt_tui(*arguments, tmp_path / "x.yaml")
        assert done.code == 1
        assert part in one_line(done.err)
        assert done.out == ""
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["params", "--recipe", "techer"], "unknown recipe 'techer', did you mean 'teacher'?"),
        (["params", "--recipe", "\x1b[31m"], "unknown recipe '\\x1b[31m'; there are:"),
        (["params", "--recipe", "nothing.yaml"], "nothing.yaml: no such file"),
        (["params", "--set", "training.lr"], "--set training.lr: expected key.path=value"),
        (["params", "--set", "training.rate=1"], "--set training.rate: unknown setting"),
        (["params", "--set", "model.n_layer=1.5"], "--set: model.n_layer: found 1.5, allowed: a whole number"),
        (["params", "--set", "model.n_layer=[1"], "--set:1: not valid YAML"),
        (["--no-ui", "train", "--steps", "0"], "training.max_steps: found 0, allowed: a whole number from 1 to"),
        (["--no-ui", "train", "--minutes", "-1"], "training.max_minutes: found -1.0"),
        (["--no-ui", "train", "--minutes", "nan"], "training.max_minutes: found"),
        (["--no-ui", "train", "--config", "nothing.yaml"], "nothing.yaml: no such file"),
        (["--no-ui", "train", "--run", "a/b"], "--run 'a/b': a run's name is letters"),
        (["--no-ui", "train", "--run", "\x1b[31m"], "a run's name is letters"),
        (["--no-ui", "train", "--resume"], "no trained run in runs"),
        (["--no-ui", "train", "--resume", "x"], "no run 'x' in runs; there are: none"),
        (["--no-ui", "train", "--data", "~nobody-of-this-name/x"], "no such file"),
        (["ask", "?"], "no trained run in runs; train one first: gpt-tui --no-ui train"),
        (["ask", "?", "--run", "x"], "no run 'x' in runs; there are: none"),
        (["ask", "?", "--run", "\x1b[31m\u202e"], "no run '\\x1b[31m\\u202e' in runs"),
        (["ask", "?", "--run", "x" * 5000], "File name too long"),
        (["chat"], "no trained run"),
        (["eval"], "no trained run"),
        (["tokenizer", "inspect"], "no trained run"),
        (["tokenizer", "inspect", "--file", "nothing.json"], "nothing.json: no such file"),
        (["tokenizer", "build", "x", "--vocab-size", "ten"], "tokenizer.vocab_size: found 'ten'"),
        (["runs", "show"], "no trained run"),
        (["runs", "show", "x"], "no run 'x'"),
        (["runs", "delete"], "which run? gpt-tui runs delete NAME"),
        (["runs", "delete", "x", "--yes"], "no run 'x'"),
    ],
)
def test_errors_are_one_line_and_code_1(gpt_tui: Cli, arguments: list[str], part: str) -> None:
    done = gpt_tui(*arguments)
    assert done.code == 1
    assert done.out == ""
    line = one_line(done.err)
    assert line.startswith("gpt-tui: ")
    assert part in line


def test_errors_in_chinese_are_one_line_too(gpt_tui: Cli) -> None:
    done = gpt_tui("--lang", "zh", "ask", "?", "--run", "\x1b")
    assert one_line(done.err) == "gpt-tui: runs 中没有运行记录“\\x1b”；现有：无"


def test_a_bug_is_not_hidden(gpt_tui: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a person can put right is a line; the rest is a traceback to send in."""
    import gpt_tui.commands.params as params

    def broken(args: object) -> int:
        raise LookupError("a bug")

    monkeypatch.setattr(params, "run", broken)
    with pytest.raises(LookupError, match="a bug"):
        gpt_tui("params")


def test_interrupted_commands_end_with_130(gpt_tui: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import gpt_tui.commands.params as params

    def interrupted(args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(params, "run", interrupted)
    assert gpt_tui("params").code == 130


def test_a_foreign_core_is_named(tmp_path: Path, shell: Shell, helpers: Any) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").write_text("")
    for arguments in (["ask", "?"], ["runs"], ["--help"]):
        process = shell(*arguments, cwd=tmp_path, env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{helpers.root}"})
        out, err = process.communicate()
        assert process.returncode == 1
        assert out == b""
        assert f"another package named 'core' hides this program's own: {tmp_path}" in one_line(err.decode())


# -- streams --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["runs"]])
def test_a_reader_that_has_gone_is_no_error(shell: Shell, trained: Path, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = shell(*arguments, stdout=writer)
    os.close(writer)
    _, err = process.communicate()
    assert process.returncode == 0
    assert err == b""


def test_what_is_piped_is_plain(shell: Shell, trained: Path, helpers: Any) -> None:
    out, err = shell("runs", "show", "tiny", env={"FORCE_COLOR": "1", "TERM": "xterm-256color"}).communicate()
    assert err == b""
    helpers.assert_harmless(out.decode())
    assert b"tiny" in out


def test_closed_streams_are_no_tracebacks(shell: Shell, trained: Path) -> None:
    closed = lambda: [os.close(number) for number in (0, 1)]  # noqa: E731
    process = shell("chat", stdin=None, stdout=None, preexec_fn=closed)
    _, err = process.communicate()
    assert process.returncode == 0
    assert err == b""


def test_an_output_that_has_no_chinese_gets_escapes(shell: Shell) -> None:
    process = shell("--lang", "zh", "--help", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    out, err = process.communicate()
    assert process.returncode == 0
    assert err == b""
    assert out.isascii()
    assert b"\\u7528\\u6cd5" in out


def test_questions_that_are_no_utf8_are_asked_all_the_same(gpt_tui: Cli, trained: Path) -> None:
    done = gpt_tui("--no-ui", "chat", stdin=b"\xff\xfe\n" + "猫吃什么？\n".encode())
    assert done.code == 0
    assert len(done.out.splitlines()) == 2
    assert done.out.endswith("鱼\n")


def test_only_results_are_on_standard_output(gpt_tui: Cli, trained: Path) -> None:
    done = gpt_tui("ask", "猫吃什么？")
    assert (done.out, done.err) == ("鱼\n", "")


def test_python_m_runs_it(helpers: Any) -> None:
    done = subprocess.run([sys.executable, "-m", "gpt_tui", "--version"], capture_output=True, cwd=helpers.root)
    assert done.stdout.decode() == f"gpt-tui {__version__}\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "out/模型.gguf"), "out/模型.gguf: Permission denied"),
        (FileExistsError(17, "File exists", b"out"), "out: File exists"),
        (OSError(5, "Input/output error"), "the system says: Input/output error"),
        (OSError("no number\x1b[2J"), "the system says: no number\\x1b[2J"),
    ],
)
def test_what_the_system_says_is_one_line(
    gpt_tui: Cli, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    def fail(args: object) -> int:
        raise error

    monkeypatch.setattr("gpt_tui.commands.params.run", fail)
    done = gpt_tui("params")
    assert (done.code, done.err) == (1, f"gpt-tui: {said}\n")
    if error.errno == 13:
        assert gpt_tui("params", "--lang", "zh").err == "gpt-tui: out/模型.gguf: 权限不足\n"


def test_arguments_in_an_ascii_locale_are_what_was_typed() -> None:
    """Python hands them on as surrogates there; the tokenizer knows none."""
    typed = os.fsdecode("什么是水？".encode()) if sys.getfilesystemencoding() != "utf-8" else "什么是水？"
    assert cli._as_utf8(typed) == "什么是水？"
    code = "import sys; from gpt_tui.cli import _as_utf8; print(ascii(_as_utf8(sys.argv[1])), sys.stdin.encoding)"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, "什么"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] == ascii("什么")


def test_questions_on_standard_input_are_utf8_in_an_ascii_locale() -> None:
    code = "import sys; from gpt_tui.cli import _ready_streams; _ready_streams(); print(ascii(sys.stdin.read()))"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, input="什么".encode(), capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == ascii("什么")
