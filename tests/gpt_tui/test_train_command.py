"""``gpt-tui train``: what it prints and leaves behind, its options, going on with a run."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import events
from core.checkpoint import newest, verify
from core.lock import FolderLock
from core.runs import Run
from gpt_tui import cli

Cli = Callable[..., Any]
Shell = Callable[..., subprocess.Popen[bytes]]

#: No questions at the end, no int8: what these tests look at comes before.
SHORT = ["--set", "data.verify_rows=0", "--set", "training.int8=false"]


@pytest.fixture
def train(gpt_tui: Cli, qa: Path, helpers: Any) -> Cli:
    """``train(...)`` on the dozen questions with the tiny model, 4 steps unless said otherwise."""

    def run(*arguments: object, data: bool = True, tiny: bool = True, steps: bool = True) -> Any:
        options = ["--data", str(qa)] if data else []
        options += ["--steps", "4"] if steps else []
        return gpt_tui("--no-ui", "train", *options, *(helpers.tiny if tiny else []), *SHORT, *arguments)

    return run


def settings(name: str, folder: str = "runs") -> Any:
    return Run(Path(folder) / name).config()


# -- what it prints -------------------------------------------------------------------------------------------


def test_the_lines_of_a_training(trained_once: tuple[Path, Any]) -> None:
    folder, done = trained_once
    lines = done.out.splitlines()
    assert done.err == ""
    patterns = [
        r"run tiny \(teacher\) in .*/tiny",
        r"device cpu \| 1 threads \| fp32 \| 22,\d{3} parameters \| vocabulary 3\d\d",
        r"train: 12 rows, \d+ tokens, \d+ learnt, length \d+ \(longest \d+\), padding \d+\.\d %",
        r"valid: 12 rows, .*",
        r"training for 120 steps",
        r"step +10/120 \| loss \d\.\d{4} \| lr \d\.\d\de-\d\d \| grad \d+\.\d\d \| [\d,]+ tok/s \| "
        r"elapsed \d+:\d\d \| eta \d+:\d\d",
        r"eval at step 60 \| loss \d\.\d{4} \| best so far",
        r"saved best at step 60: .*/checkpoints/best \(\d+\.\d kB\)",
        r"saved last at step 60: .*/checkpoints/step-00000060 \(\d+\.\d kB\)",
        r"saved int8 at step 120: .*/checkpoints/int8 \(\d+\.\d kB\)",
        r"int8: \d+\.\d kB instead of \d+\.\d kB, \d+\.\d % of 12 answers the same as fp32, .*",
        r"valid: 12 of 12 exact \(100\.0 %, 95 % interval 75\.\d %–100\.0 %; commonest answer 8\.3 %\)",
        r"train: 12 of 12 exact .*",
        r"finished after 120 steps, \d+\.\d s of training, \d+\.\d s in all \| loss 0\.\d{4} \| "
        r"best eval loss 0\.\d{4} @ step 120",
        re.escape(f"saved in {folder}/tiny"),
        re.escape(f'ask it: gpt-tui ask "…" --run {folder}/tiny'),
    ]
    places = []
    for pattern in patterns:
        (place,) = [i for i, line in enumerate(lines) if re.fullmatch(pattern, line)]
        places.append(place)
    assert places == sorted(places)
    assert sum(line.startswith("step ") for line in lines) == 12
    assert "\x1b" not in done.out
    assert "\r" not in done.out


def test_what_it_leaves_behind(trained_once: tuple[Path, Any]) -> None:
    run = trained_once[0] / "tiny"
    there = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert there >= {"config.yaml", "tokenizer.json", "metrics.jsonl", "train.log", "report.json"}
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"step-00000060", "step-00000120", "best", "int8"}
    for folder in (run / "checkpoints").iterdir():
        verify(folder)
    log = (run / "train.log").read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \S", line) for line in log)
    printed = trained_once[1].out.splitlines()
    assert [line[21:] for line in log] == printed[:-2], "the log has what the console showed"
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert report["exact"]["train"]["exact"] == 12
    assert report["settings"]["model"]["n_embd"] == 32


def test_in_chinese(train: Cli) -> None:
    out = train("--lang", "zh").out
    assert "训练集：11 条" in out
    assert "loss" not in out


def test_the_bar_is_for_terminals(train: Cli, qa: Path, helpers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    train("--steps", "1", "--run", "first")
    out = Terminal()
    monkeypatch.setattr("sys.stdout", out)
    code = cli.main(["--no-ui", "train", "--data", str(qa), "--steps", "20", "--run", "a", *helpers.tiny, *SHORT])
    assert code == 0
    text = out.getvalue()
    assert "\r\x1b[K[###" in text
    assert "100 %  loss " in text
    last = text.rpartition("\r\x1b[K")[2]
    assert "[#" not in last, "at the end nothing of the bar is left"


# -- options --------------------------------------------------------------------------------------------------


def test_set_wins_over_the_short_options(train: Cli) -> None:
    assert train("--run", "a", "--set", "training.max_steps=3").code == 0
    assert settings("a").training.max_steps == 3
    assert newest(Path("runs/a/checkpoints"))[0].name == "step-00000003"


def test_a_config_file(train: Cli, qa: Path, helpers: Any) -> None:
    Path("sub").mkdir()
    shutil.copy(qa, "sub/mine.jsonl")
    Path("sub/mine.yaml").write_text(
        "recipe: teacher\ntraining:\n  lr: 2e-2\ndata:\n  train: mine.jsonl\n  valid:\n", encoding="utf-8"
    )
    lr = [item for item in helpers.tiny if "training.lr" not in item]
    done = train("--config", "sub/mine.yaml", "--run", "a", *lr, data=False, tiny=False)
    assert done.code == 0
    assert settings("a").training.lr == 0.02
    assert settings("a").data.train == str(Path("sub/mine.jsonl").absolute()), "paths are relative to the file"
    assert (settings("a").recipe, settings("a").training.max_steps) == ("teacher", 4)


def test_a_config_yaml_in_the_folder_is_read(train: Cli) -> None:
    Path("config.yaml").write_text("recipe: mine\ntraining:\n  max_epochs: 3\n  seed: 7\n", encoding="utf-8")
    assert train("--run", "a").code == 0
    assert (settings("a").recipe, settings("a").training.seed) == ("mine", 7)
    assert train("--run", "b", "--recipe", "teacher").code == 0
    assert (settings("b").recipe, settings("b").training.seed) == ("teacher", 42), "a recipe named is the one meant"


def test_steps_replace_other_limits(train: Cli) -> None:
    Path("config.yaml").write_text("training:\n  max_epochs: 3\n  max_minutes: 9\n", encoding="utf-8")
    assert train("--run", "a").code == 0
    training = settings("a").training
    assert (training.max_steps, training.max_epochs, training.max_minutes) == (4, None, None)


def test_a_time_budget(train: Cli) -> None:
    done = train("--minutes", "0.003", "--run", "a", steps=False)
    assert done.code == 0
    assert "training for 0.003 minutes" in done.out
    assert "finished, the time is used up after" in done.out
    training = settings("a").training
    assert (training.max_steps, training.max_epochs, training.max_minutes) == (None, None, 0.003)
    steps = json.loads(Path("runs/a/report.json").read_text())["steps"]
    assert steps >= 1
    assert train("--minutes", "60", "--run", "b").code == 0, "with --steps whatever comes first"
    assert json.loads(Path("runs/b/report.json").read_text())["steps"] == 4


def test_data_without_validation_keeps_a_part(train: Cli, qa: Path) -> None:
    assert train("--run", "a", "--set", "data.valid_fraction=0.25").code == 0
    report = json.loads(Path("runs/a/report.json").read_text(encoding="utf-8"))["data"]
    assert (report["train_used"], report["valid_used"], report["valid_file"]) == (9, 3, None)
    assert train("--run", "b", "--valid", qa).code == 0
    report = json.loads(Path("runs/b/report.json").read_text(encoding="utf-8"))["data"]
    assert (report["train_used"], report["valid_used"], report["valid_file"]) == (12, 12, "qa.jsonl")


@pytest.mark.parametrize(
    "name",
    ["🐋.jsonl", "a b.jsonl", "it's.jsonl", 'say "x".jsonl', "a: b #c.jsonl", "back\\slash.jsonl", "\\u0041.jsonl",
     "é.jsonl", "{x}.jsonl", "a\tb.jsonl", "- x.jsonl", "𠀀.jsonl", "a\x7f\u200b.jsonl"],
)  # fmt: skip
def test_data_files_of_any_name(train: Cli, qa: Path, name: str) -> None:
    shutil.copy(qa, name)
    done = train("--data", name, "--valid", name, "--run", "a", "--set", "training.max_steps=1", data=False)
    assert (done.code, done.err) == (0, "")
    assert settings("a").data.train == settings("a").data.valid == str(Path(name).absolute())


def test_the_name_of_a_run(train: Cli) -> None:
    assert train("--set", "training.max_steps=1").code == 0
    assert train("--run", "我的_1", "--set", "training.max_steps=1").code == 0
    auto, mine = sorted(path.name for path in Path("runs").iterdir())
    assert mine == "我的_1"
    assert re.fullmatch(r"teacher-\d{8}-\d{6}", auto)


def test_a_run_is_not_overwritten(train: Cli) -> None:
    assert train("--run", "a").code == 0
    before = Path("runs/a/metrics.jsonl").read_bytes()
    done = train("--run", "a")
    assert done.code == 1
    assert done.err == (
        "gpt-tui: runs/a: this run exists already; go on with --resume a or choose another --run name\n"
    )
    assert Path("runs/a/metrics.jsonl").read_bytes() == before


def test_after_a_slip_the_name_is_still_free(train: Cli) -> None:
    done = train("--run", "a", "--data", "tpyo.jsonl", data=False)
    assert (done.code, "tpyo" in done.err) == (1, True)
    assert not Path("runs/a").exists()
    assert train("--run", "a").code == 0
    kinds = [event.kind for event in Run(Path("runs/a")).read_metrics()]
    assert kinds.count("started") == kinds.count("finished") == 1


def test_a_run_someone_writes_to_is_left_alone(train: Cli) -> None:
    assert train("--run", "a").code == 0
    lock = FolderLock(Path("runs/a/lock"))
    lock.acquire()
    done = train("--resume", "a", data=False, tiny=False, steps=False)
    lock.release()
    assert done.code == 1
    assert f"another process is writing to it (process {os.getpid()} on" in done.err


def test_init_then_train_there(gpt_tui: Cli, helpers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a class does: its own folder, its own rows, its own settings, nothing else named."""
    assert gpt_tui("init", "class").code == 0
    monkeypatch.chdir("class")
    for name in ("train", "valid"):  # fewer rows, for the time
        path = Path(f"data/teacher/{name}.jsonl")
        path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:40]), encoding="utf-8")
    text = Path("config.yaml").read_text(encoding="utf-8")
    text, count = re.subn(r"(?m)^  n_layer: \d+", "  n_layer: 1", text)
    assert count == 1
    Path("config.yaml").write_text(text, encoding="utf-8")
    options = ["--run", "a", "--steps", "2", *helpers.tiny[1:], *SHORT, "--set", "model.seq_len=256"]
    done = gpt_tui("--no-ui", "train", *options)
    assert (done.code, done.err) == (0, "")
    assert "train: 40 rows" in done.out
    config = settings("a")
    assert config.model.n_layer == 1
    assert config.data.train == str(Path("data/teacher/train.jsonl").absolute())
    assert gpt_tui("ask", "什么是注意力机制？").code == 0
    assert gpt_tui("eval", "--json").json["total"] == 40


# -- JSON -----------------------------------------------------------------------------------------------------


def test_one_json_object_a_line_as_in_the_metrics(train: Cli, qa: Path) -> None:
    done = train(
        "--json", "--run", "a", "--valid", qa, "--set", "training.log_interval=2", "--set", "training.eval_interval=2",
        "--set", "training.save_interval=2", "--set", 'data.probes=[{prompt: "猫\\e[31m\\u202e？", expected: "鱼"}]',
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    recorded = [json.loads(line) for line in Path("runs/a/metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert done.lines == recorded
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for line in done.lines:
        assert next(iter(line)) == "kind"
        by_kind.setdefault(line["kind"], []).append(line)
        assert events.from_json(line) is not None
    contract = {
        "step": {"step", "loss", "lr", "grad_norm", "tokens_per_second", "elapsed", "eta"},
        "eval": {"step", "loss"},
        "probe": {"step", "prompt", "answer", "expected", "exact"},
        "checkpoint": {"step", "path"},
        "finished": {"reason", "steps", "train_seconds"},
    }
    for kind, keys in contract.items():
        for line in by_kind[kind]:
            assert keys <= set(line), kind
    assert [line["step"] for line in by_kind["step"]] == [2, 4]
    assert [line["step"] for line in by_kind["eval"]] == [2, 4]
    assert by_kind["probe"][0]["prompt"] == "猫\x1b[31m\u202e？"
    assert by_kind["probe"][0]["expected"] == "鱼"
    assert {Path(line["path"]).name for line in by_kind["checkpoint"]} == {"best", "step-00000002", "step-00000004"}
    assert done.lines[-1]["kind"] == "finished"
    assert done.lines[-1]["reason"] == "max_steps"
    assert done.lines[-1]["steps"] == 4


def test_json_of_a_failure_is_on_standard_error(train: Cli) -> None:
    done = train("--json", "--data", "none.jsonl", data=False)
    assert done.code == 1
    assert [line["kind"] for line in done.lines] == ["state", "progress"]
    assert len(done.err.splitlines()) == 1


def test_hostile_rows_reach_no_terminal(gpt_tui: Cli, helpers: Any) -> None:
    evil = "a\x1b]52;c;eA==\x07\x9b2J\u202e\u2066\u200b\r\ud800"
    rows = {f"{evil}{i}？": f"{evil}{i}" for i in range(6)}
    lines = [json.dumps({"prompt": p, "completion": c, "kind": evil}) + "\n" for p, c in rows.items()]
    Path("evil.jsonl").write_text("".join(lines))
    Path("evil.yaml").write_text(
        'recipe: teacher\ndata:\n  probes:\n    - prompt: "\\e[31m\\u202e"\n      expected: "\\e[31m"\n',
        encoding="utf-8",
    )
    for form in ([], ["--json"]):
        done = gpt_tui(
            "--no-ui", "train", "--config", "evil.yaml", "--data", "evil.jsonl", "--valid", "evil.jsonl", *form,
            *[item for item in helpers.tiny if "probes" not in item], "--steps", "3",
        )  # fmt: skip
        assert (done.code, done.err) == (0, "")
        assert "x1b[31m" in done.out or "u001b[31m" in done.out
    for log in Path("runs").glob("*/train.log"):
        helpers.assert_harmless(log.read_text(encoding="utf-8"))


# -- going on -------------------------------------------------------------------------------------------------


def steps_of(run: Path) -> list[int]:
    return [event.step for event in Run(run).read_metrics() if isinstance(event, events.Step)]


@pytest.mark.parametrize("how", [["--resume"], ["--resume", "tiny"], ["--resume", "--run", "tiny"], ["--resume=tiny"]])
def test_going_on_with_a_run(gpt_tui: Cli, copied: Path, how: list[str]) -> None:
    shutil.rmtree(copied / "checkpoints" / "step-00000120")
    (copied / "report.json").unlink()
    done = gpt_tui("--no-ui", "train", *how, "--set", "training.max_steps=70")
    assert (done.code, done.err) == (0, "")
    assert "going on from step 60" in done.out
    assert "step     70/70" in done.out
    assert steps_of(copied) == [10, 20, 30, 40, 50, 60, 70]
    assert newest(copied / "checkpoints")[0].name == "step-00000070"


def test_going_on_longer(gpt_tui: Cli, copied: Path) -> None:
    done = gpt_tui("--no-ui", "train", "--resume", "--steps", "130")
    assert done.code == 0
    assert "going on from step 120" in done.out
    assert settings("tiny", str(copied.parent)).training.max_steps == 130
    assert steps_of(copied)[-2:] == [120, 130]


def test_going_on_with_a_finished_run_finishes_it_again(gpt_tui: Cli, copied: Path) -> None:
    done = gpt_tui("--no-ui", "train", "--resume", "tiny")
    assert done.code == 0
    assert "finished after 120 steps" in done.out
    assert "12 of 12 exact" in done.out


def test_going_on_can_ask_for_a_verification(gpt_tui: Cli, copied: Path) -> None:
    """Also of a finished run, which was not asked before."""
    file = copied / "config.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r"verify_rows: \d+", "verify_rows: 0", text), encoding="utf-8")
    done = gpt_tui("--no-ui", "train", "--resume", "tiny", "--verify")
    assert (done.code, done.err) == (0, "")
    assert "EXACT" in done.out
    assert json.loads((copied / "report.json").read_text("utf-8"))["exact"]["valid"]["exact"] == 12


def test_what_may_not_change_is_refused(gpt_tui: Cli, copied: Path) -> None:
    before = (copied / "config.yaml").read_bytes()
    for item in ("model.n_embd=64", "training.batch_size=3", "training.seed=1"):
        done = gpt_tui("--no-ui", "train", "--resume", "tiny", "--set", item)
        assert done.code == 1
        assert done.err == (
            f"gpt-tui: {item.partition('=')[0]}: cannot change when a run goes on; start a new run for that\n"
        )
    assert (copied / "config.yaml").read_bytes() == before


def test_going_on_passes_over_a_damaged_checkpoint(gpt_tui: Cli, copied: Path) -> None:
    path = copied / "checkpoints" / "step-00000120" / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    done = gpt_tui("--no-ui", "train", "--resume")
    assert done.code == 0
    (warning,) = [line for line in done.out.splitlines() if "damaged" in line]
    assert warning.startswith(f"warning: {path}: damaged")
    assert warning.endswith("the checkpoint before it is used")
    assert "going on from step 60" in done.out
    verify(copied / "checkpoints" / "step-00000120")


# -- endings --------------------------------------------------------------------------------------------------


def test_a_reader_that_has_gone_ends_the_training_silently(
    shell: Shell, tmp_path: Path, qa: Path, helpers: Any, gpt_tui: Cli
) -> None:
    """Like ``train | head -1``: no words, but no exit code 0 either, which is for finished trainings."""
    process = shell("--no-ui", "train", "--data", qa, "--run", "a", "--steps", "1000000", *helpers.tiny, cwd=Path.cwd())
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate()
    assert process.returncode == 1
    assert err == b""
    assert not Run(Path("runs/a")).lock.is_held()
    assert Run(Path("runs/a")).state() == "stopped", "what was learnt is saved"


def test_a_disk_that_is_broken_at_the_end_is_an_error(train: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from core import checkpoint

    def broken(*_: Any) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(checkpoint, "save", broken)
    done = train("--run", "a")
    assert done.code == 1
    assert done.err == "gpt-tui: runs/a/checkpoints/step-00000004: cannot be written: Input/output error\n"
    assert "Input/output error" in Path("runs/a/train.log").read_text(encoding="utf-8")


def test_a_loss_that_is_no_number_is_an_error(train: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import math

    from core.training.result import StepResult
    from core.training.trainer import Trainer

    monkeypatch.setattr(Trainer, "step", lambda *_: StepResult(math.nan, 1, 1, 1.0, "loss"))
    done = train("--run", "a")
    assert done.code == 1
    assert "the loss is not a number" in done.err
    assert len(done.err.splitlines()) == 1
    assert "gave no finite loss" in done.out
