"""What a person sees of faults: ``gpt-tui check``, a full disk, no memory, hostile text, and who may look."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import checkpoint
from core.events import Notice
from core.training import disk
from core.training.recovery import out_of_memory
from gpt_tui import i18n, zh
from gpt_tui.failure import explain

Cli = Callable[..., Any]
Shell = Callable[..., subprocess.Popen[bytes]]


# -- gpt-tui check ------------------------------------------------------------------------------------------------


def test_a_whole_run(gpt_tui: Cli, trained: Path) -> None:
    done = gpt_tui("check", "tiny")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[-1].endswith("tiny: whole")
    assert all(line.startswith("✓ ") for line in lines[:-1])
    assert gpt_tui("check").out == done.out  # the newest one


def test_a_damaged_run(gpt_tui: Cli, copied: Path) -> None:
    folder = checkpoint.newest(copied / "checkpoints")[0]
    (folder / "state.json").write_text("{}")
    done = gpt_tui("check", "tiny")
    assert (done.code, done.err) == (1, "")
    assert f"✗ {folder}/state.json: damaged: it does not match its checksum (2 bytes, expected" in done.out
    assert "\n    delete this checkpoint; the others are not affected\n" in done.out
    assert done.out.splitlines()[-1].endswith("tiny: one thing is wrong")
    report = gpt_tui("check", "tiny", "--json")
    assert report.code == 1
    assert report.json["whole"] is False
    assert [finding["level"] for finding in report.json["findings"]].count("error") == 1


def test_a_run_without_settings_can_be_checked(gpt_tui: Cli, copied: Path) -> None:
    (copied / "config.yaml").unlink()
    done = gpt_tui("check", "tiny")
    assert done.code == 1
    assert "no config.yaml in it" in done.out


def test_no_such_run(gpt_tui: Cli, trained: Path) -> None:
    done = gpt_tui("check", "nonsense")
    assert done.code == 1
    assert done.err.startswith("gpt-tui: no run 'nonsense' in ")


def test_check_in_chinese(gpt_tui: Cli, copied: Path) -> None:
    (copied / "report.json").write_text("[]")
    done = gpt_tui("--lang", "zh", "check", "tiny")
    assert "不是训练报告" in done.out
    assert "完好" not in done.out.splitlines()[-1]


# -- a full disk and no memory ------------------------------------------------------------------------------------


def test_ctrl_c_while_the_disk_is_full(gpt_tui: Cli, qa: Path, helpers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 130, one clear line, the checkpoint before is whole, and the run goes on from it."""
    save = checkpoint.save

    def full(folder: Path, *rest: Any) -> int:
        if folder.name == "step-00000004":
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(folder, *rest)

    def wait(_: disk.Disk) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(checkpoint, "save", full)
    monkeypatch.setattr(disk.Disk, "_wait", wait)
    options = ["--data", qa, "--run", "a", "--steps", "6", *helpers.tiny, "--set", "training.save_interval=2"]
    done = gpt_tui("--no-ui", "train", *options)
    assert done.code == 130
    assert (
        "warning: checkpoints/step-00000004 cannot be written: No space left on device; the training waits, "
        "make room or stop it (it tries again every 30 s)\npaused\n" in done.out
    )
    assert "warning: stopped without room to save: the steps after 2 are lost\n" in done.out
    assert done.out.splitlines()[-2:] == [
        "not saved: the steps from 3 to 4",
        "go on with: gpt-tui --no-ui train --resume a",
    ]
    assert gpt_tui("check", "a").code == 0
    monkeypatch.setattr(checkpoint, "save", save)
    assert gpt_tui("--no-ui", "train", "--resume", "a").code == 0


def test_the_app_pauses_and_goes_on_as_asked(
    qa: Path, helpers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause is the one the app knows: state, reason in the log, and the same key goes on."""
    from core.config import load_config
    from core.runs import Run
    from gpt_tui.session import Session

    save, full = checkpoint.save, [True]

    def refuse(folder: Path, *rest: Any) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(folder, *rest)

    monkeypatch.setattr(checkpoint, "save", refuse)
    monkeypatch.setattr(disk, "TRY_AGAIN", 1e9)
    overrides = [item.removeprefix("--set=") for item in helpers.tiny]
    overrides += [f"data.train={qa}", "data.valid=null", "data.verify_rows=0", "training.max_steps=4"]
    session = Session()
    session.start(load_config("teacher", overrides=overrides), Run(tmp_path / "a"))
    while session.snapshot().state != "paused":
        assert not session.join(0.02), session.snapshot().failure
    snapshot = session.snapshot()
    assert snapshot.can_resume
    assert any("No space left on device; the training waits" in line.text for line in snapshot.log)
    full[0] = False
    session.resume()
    assert session.join(60.0)
    assert session.snapshot().state == "done"
    assert session.snapshot().failure is None
    assert Run(tmp_path / "a").load().step == 4


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")])
def test_no_memory_is_one_line(gpt_tui: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr("core.runs.load_model", refuse)
    done = gpt_tui("ask", "水？")
    assert done.code == 1
    assert done.err == "gpt-tui: the memory is used up; choose a smaller model or end other programs\n"


def test_what_the_app_says_about_faults() -> None:
    assert "training.micro_batch" in explain(out_of_memory()).advice
    assert explain(MemoryError()).cause == "the memory is used up"


def test_the_pause_is_said_in_chinese() -> None:
    i18n.set_language("zh")
    template = next(text for text in zh.TEXTS if text.startswith("{name} cannot be written: {reason}; the training"))
    notice = Notice(template, {"name": "report.json", "reason": "No space left on device", "seconds": 30})
    said = i18n.translated(notice)
    assert said.startswith("report.json 无法写入：磁盘空间不足；训练暂停等待")


# -- signals ------------------------------------------------------------------------------------------------------


def steps(process: subprocess.Popen[bytes]) -> int:
    """Wait for the next logged step of ``train --json``."""
    assert process.stdout is not None
    return next(event["step"] for event in map(json.loads, process.stdout) if event["kind"] == "step")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no hang-ups")
def test_a_training_goes_on_after_a_hang_up(shell: Shell, qa: Path, helpers: Any, tmp_path: Path) -> None:
    process = shell(
        "--no-ui", "train", "--json", "--data", qa, "--run", "a", "--steps", "1000000", *helpers.tiny, cwd=tmp_path
    )
    before = steps(process)
    process.send_signal(signal.SIGHUP)
    for _ in range(3):
        after = steps(process)
    assert after > before
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143


# -- text that a terminal would obey --------------------------------------------------------------------------------

HOSTILE = [
    "\x1b]52;c;eA==\x07", "\x1b[2J\x1b[H", "\x9b31m", "\x90q\x9c", "\u202egnp.exe", "\u2066x\u2069",
    "\u200b\u200d\ufeff",
    "[/red][link=x]y[/]", "\r\x08\x7f", "\U000e0041", "x" * 100_000, "\u2028\u2029\x85", "a\u0301" * 50,
]  # fmt: skip


def test_hostile_text_in_data_answers_and_names(gpt_tui: Cli, helpers: Any, tmp_path: Path) -> None:
    """Every command's output is looked at by ``gpt_tui`` itself: nothing in it may be obeyed by a terminal."""
    text = "".join(item for item in HOSTILE if len(item) < 1000)
    rows = {f"{i}{text}": f"{text}{i}" for i in range(6)}
    data = helpers.write_rows(tmp_path / f"rows{HOSTILE[4]}.jsonl", rows)
    options = [item for item in helpers.tiny if "seq_len" not in item and "probes" not in item]
    quoted = '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'
    probe = f"[{{prompt: {quoted}, expected: {quoted}}}]"
    options += ["--set=model.seq_len=512", f"--set=data.probes={probe}", "--set=sampling.stop=[]"]
    done = gpt_tui("--no-ui", "train", "--data", data, "--valid", data, "--run", "a", "--steps", "3", *options)
    assert done.code == 0, done.err
    for command in (
        ["doctor", data], ["ask", f"1{text}", "--show-label"], ["ask", f"1{text}", "--json"], ["runs", "show", "a"],
        ["eval", "--data", data, "--show"], ["check", "a"], ["watch", "a"], ["tokenizer", "inspect", "--run", "a"],
        ["ask", "x" * 100_000], ["runs", "show", text], ["train", "--no-ui", "--run", text],
        ["--lang", "zh", "ask", text],
        ["check", text], ["train", "--no-ui", "--data", text], ["train", "--no-ui", "--recipe", text], [text],
    ):  # fmt: skip
        gpt_tui(*command)
    log = Path("runs/a/train.log").read_text(encoding="utf-8")
    helpers.assert_harmless(log)


# -- others on the same machine -------------------------------------------------------------------------------------


def test_what_a_training_leaves_is_private(gpt_tui: Cli, qa: Path, helpers: Any) -> None:
    before = os.umask(0o022)
    try:
        gpt_tui("--no-ui", "train", "--data", qa, "--run", "a", "--steps", "2", *helpers.tiny)
    finally:
        os.umask(before)
    for folder in (Path("runs"), Path("runs/a")):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    for folder in Path("runs/a/checkpoints").iterdir():
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder


def test_nothing_lies_in_shared_temporary_folders_under_a_fixed_name() -> None:
    """Another user could have put a link there before. Temporary files lie beside the file that they become."""
    found = []
    for package in ("core", "gpt_tui"):
        for path in sorted((Path(__file__).parents[2] / package).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            found += [f"{path.name}: {word}" for word in re.findall(r"gettempdir|mktemp\b|[\"']/(?:var/)?tmp\b", text)]
    assert found == []


def test_a_training_uses_no_shared_temporary_folder(
    gpt_tui: Cli, qa: Path, helpers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(shared))
    monkeypatch.setattr("tempfile.tempdir", None)
    gpt_tui("--no-ui", "train", "--data", qa, "--run", "a", "--steps", "2", *helpers.tiny)
    assert list(shared.iterdir()) == []
