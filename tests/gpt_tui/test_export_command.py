"""``gpt-tui export``, ``import bundle`` and ``push`` on a run that has learnt something."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from pathlib import Path

import pytest

from gpt_tui.cli import main

from .conftest import PAIRS, Cli


def test_a_folder_that_transformers_answers_from(
    gpt_tui: Cli, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is in the test extra")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = gpt_tui("export", "hf", "tiny", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"written: {tmp_path / 'out'} (ArceeForCausalLM, ")
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    right = 0
    for question, known in PAIRS.items():
        messages = [{"role": "user", "content": question}]
        inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt")
        found = model.generate(inputs["input_ids"], attention_mask=inputs["attention_mask"])
        text = tokenizer.decode(found[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        assert text == gpt_tui("ask", question, "--run", "tiny").out.removesuffix("\n")
        right += text == known
    assert right > 6
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "training questions answered exactly" in card and "qa.jsonl" in card
    assert str(trained.parent) not in card and str(tmp_path) not in card


def test_a_file_for_llama_cpp(gpt_tui: Cli, trained: Path) -> None:
    gguf = pytest.importorskip("gguf", reason="gguf is in the test extra")
    done = gpt_tui("export", "gguf", "tiny", "tiny.gguf", "--type", "q8_0", "--checkpoint", "best")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("written: tiny.gguf (llama q8_0, ")
    assert gguf.GGUFReader("tiny.gguf").fields["general.name"].contents() == "tiny"
    again = gpt_tui("export", "gguf", "tiny", "tiny.gguf")
    assert (again.code, again.err) == (1, "gpt-tui: tiny.gguf: exists already; --force replaces it\n")
    assert gpt_tui("export", "gguf", "tiny", "tiny.gguf", "--force").code == 0


def test_a_bundle_and_back(gpt_tui: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = gpt_tui("export", "bundle", "tiny", "tiny.zip")
    assert done.code == 0 and done.out.startswith("written: tiny.zip (")
    taken = gpt_tui("import", "bundle", "tiny.zip")
    assert taken.code == 1
    assert taken.err == f"gpt-tui: {trained}: exists already; choose another name with --run NAME\n"
    monkeypatch.setenv("GPT_TUI_RUNS", "others")
    done = gpt_tui("import", "bundle", "tiny.zip", "--run", "lins")
    assert done.code == 0
    first = done.out.splitlines()[0]
    assert first == f"imported as lins: {gpt_tui('runs', '--json').json[0]['parameters']:,} parameters"
    for question, answer in list(PAIRS.items())[:3]:
        assert gpt_tui("ask", question).out == gpt_tui("ask", question, "--run", trained).out
        assert answer
    Path("tiny.zip").write_bytes(Path("tiny.zip").read_bytes()[:-100])
    done = gpt_tui("import", "bundle", "tiny.zip", "--run", "again")
    assert done.code == 1 and len(done.err.splitlines()) == 1
    assert [path.name for path in Path("others").iterdir()] == ["lins"]


def test_a_bundle_of_a_stopped_run_tells_its_parameters(gpt_tui: Cli, copied: Path) -> None:
    """There is no report yet: it told 0."""
    (copied / "report.json").unlink()
    assert gpt_tui("export", "bundle", copied, "half.zip").code == 0
    told = gpt_tui("import", "bundle", "half.zip", "--run", "half").out.splitlines()[0]
    assert re.fullmatch(r"imported as half: [1-9][\d,]* parameters", told)


@pytest.mark.parametrize("kind", ["hf", "gguf", "bundle"])
def test_a_run_that_is_not_there(gpt_tui: Cli, trained: Path, kind: str) -> None:
    done = gpt_tui("export", kind, "nothing", "out")
    assert done.code == 1 and "no run 'nothing'" in done.err and len(done.err.splitlines()) == 1
    assert not Path("out").exists()


def test_in_chinese(gpt_tui: Cli, trained: Path) -> None:
    Path("out").mkdir()
    Path("out", "论文").touch()
    done = gpt_tui("--lang", "zh", "export", "hf", "tiny", "out", "--force")
    assert done.err == "gpt-tui: out：里面有其他文件（论文）；请另选一个文件夹\n"


@pytest.mark.parametrize("arguments", ["export", "export hf tiny", "export onnx tiny out", "push"])
def test_wrong_usage(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--lang", "en", *arguments.split()])
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM")
@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    "command",
    ["export hf tiny out", "export gguf tiny out.gguf", "export bundle tiny out.zip", "push tiny me/tiny --dry-run",
     "corpus make reader --train 9 --valid 3 --out out"],
)  # fmt: skip
def test_nothing_half_written_is_left_by_a_sigterm(
    gpt_tui: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """It comes while the first file is flushed to the disk."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "work"))
    monkeypatch.setattr(os, "fsync", lambda fd: os.kill(os.getpid(), signal.SIGTERM))
    done = gpt_tui(*command.split())
    assert (done.code, done.out) == (143, "")
    assert [path for path in Path().rglob("*") if path.name != "out"] == []
    assert signal.getsignal(signal.SIGTERM) is before
