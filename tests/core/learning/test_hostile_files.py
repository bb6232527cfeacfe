"""Files that strangers sent, in every place where a file is read: one line or a right result, in bounded time and
memory, and nothing in them is ever run."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import shutil
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core import checkpoint
from core.check import check_run
from core.config import load_config
from core.errors import CheckpointError, RunError, UserError
from core.records import read_records
from core.runs import Run, load_model
from core.storage import read_json
from core.tokenizer import Tokenizer
from core.train import train
from core.vocabulary import load_vocabulary
from core.weights_file import read_safetensors

Lab = Any
MessageOf = Callable[[Callable[[], object]], str | None]


# -- what may lie where a file is expected ----------------------------------------------------------------------


class Bomb:
    """Unpickled, it makes a file."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("exploded",)


def zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


LAUGHS = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (99 + i, 99 + i, b", ".join([b"*%c" % (98 + i if i else 97)] * 9)) for i in range(9)
)
DEEP = 100_000

CONTENTS: dict[str, bytes] = {
    "a pickle": pickle.dumps(Bomb()),
    "a pickle in a zip, as torch saves": zipped("archive/data.pkl", pickle.dumps(Bomb())),
    "a zip bomb": zipped("train.jsonl", bytes(50_000_000)),
    "a billion laughs": LAUGHS,
    "a YAML tag": b"model: !!python/object/apply:os.mkdir [exploded]\n",
    "deep arrays": b"[" * DEEP,
    "deep objects": b'{"a":' * DEEP,
    "deep YAML": b"a: " + b"[" * DEEP,
    "a key of a key": b"? " * 5000,
    "NaN": b'{"prompt": NaN, "completion": Infinity}\n',
    "a huge integer": b'{"prompt": ' + b"9" * 100_000 + b', "completion": "a"}\n',
    "a huge exponent": b'{"prompt": 1e999999999, "completion": "a"}\n',
    "a huge YAML number": b"training:\n  max_steps: " + b"9" * 100_000,
    "lone surrogates": rb'{"prompt": "\ud800", "completion": "\udc00"}',
    "no UTF-8": b"\xff\xfe\x00\x00" * 100,
    "a byte order mark": b"\xef\xbb\xbf" + b'{"prompt": "a", "completion": "b"}\r\n',
    "NUL bytes": bytes(10_000),
    "NUL in a string": b'{"prompt": "a\\u0000b", "completion": "b\\u0000"}\n',
    "terminal commands": b'{"prompt": "\\u001b]52;c;eA==\\u0007", "completion": "\\u009b2J"}\n{"\x1b[2J',
    "a long word": json.dumps({"prompt": "x" * 100_000, "completion": "y"}).encode(),
    "many brackets of no end": b"{[" * 1000 + b"]}" * 999,
    "a key twice": b'{"prompt": "a", "prompt": "b", "completion": "c"}\n',
    "nothing": b"",
}


def big(path: Path, size: int) -> None:
    """So many bytes without a line break: a hole, that takes no room on the disk."""
    with open(path, "wb") as file:
        file.write(b'{"prompt": "')
        file.truncate(size)


THINGS: dict[str, Callable[[Path], object]] = {
    **{name: lambda path, data=data: path.write_bytes(data) for name, data in CONTENTS.items()},
    "one line of 300 MB": lambda path: big(path, 300_000_000),
    "a folder": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a file nobody may read": lambda path: (path.write_bytes(b"{}"), path.chmod(0)),
}  # fmt: skip


# -- who reads it -----------------------------------------------------------------------------------------------


def gpt2(path: Path) -> Tokenizer:
    folder = path.parent / "gpt2"
    folder.mkdir(exist_ok=True)
    path.rename(folder / "vocab.json")
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return load_vocabulary(folder)


READERS: dict[str, Callable[[Path], object]] = {
    "rows.jsonl": lambda path: list(read_records(path)),
    "rows.json": lambda path: list(read_records(path)),
    "text.txt": lambda path: list(read_records(path)),
    "config.yaml": lambda path: load_config(file=path),
    "recipe.yaml": lambda path: load_config(str(path)),
    "tokenizer.json": Tokenizer.load,
    "vocab.json": gpt2,
    "report.json": lambda path: Run(path.parent).report(),
    "metrics.jsonl": lambda path: list(Run(path.parent).read_metrics()),
    "manifest.json": lambda path: checkpoint.verify(path.parent),
    "model.safetensors": read_safetensors,
    "state.json": read_json,
}


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in: what a bomb leaves is seen."""
    folder = tmp_path / "inside"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs")
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_takes_or_refuses_everything(inside: Path, reader: str, message_of: MessageOf) -> None:
    for number, (name, make) in enumerate(THINGS.items()):
        folder = inside / str(number)
        folder.mkdir()
        path = folder / reader
        make(path)
        message = message_of(lambda path=path: READERS[reader](path)) or ""
        assert "\n" not in message, name
        assert len(message) < 1000 + len(str(path)), name
        assert not (inside / "exploded").exists(), name
        shutil.rmtree(folder)


@pytest.mark.parametrize("reader", ["rows.jsonl", "rows.json", "text.txt", "config.yaml", "tokenizer.json",
                                    "metrics.jsonl", "state.json"])  # fmt: skip
def test_a_line_of_gigabytes_takes_no_gigabytes(inside: Path, reader: str) -> None:
    path = inside / reader
    big(path, 3_000_000_000)
    tracemalloc.start()
    try:
        READERS[reader](path)
    except UserError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 40_000_000


# -- checkpoints ------------------------------------------------------------------------------------------------

FILES = ("manifest.json", "model.safetensors", "optimizer.safetensors", "state.json", "tokenizer.json")


@pytest.fixture
def saved(lab: Lab) -> Run:
    """A run with two checkpoints."""
    run: Run = lab.ready({"training.max_steps": 4, "training.save_interval": 2})
    return run


def mutations(whole: bytes, regions: int, chance: random.Random) -> Iterator[bytes]:
    """One flipped bit in each region, and what is left when the file is cut at each quarter."""
    for region in range(regions):
        place = min(len(whole) - 1, chance.randrange(len(whole) // regions + 1) + region * len(whole) // regions)
        yield whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :]
    for quarter in range(4):
        yield whole[: quarter * len(whole) // 4]


def test_500_damages_of_a_checkpoint(saved: Run) -> None:
    """Each is found and named, and the checkpoint before is used."""
    chance = random.Random(7)
    before, folder = sorted(saved.checkpoints.glob("step-*"))
    count = 0
    for name in FILES:
        whole = (folder / name).read_bytes()
        for damaged in mutations(whole, 100, chance):
            (folder / name).write_bytes(damaged)
            if name == "manifest.json" and json_or_none(damaged) == json.loads(whole):
                continue  # one blank for another
            found, (problem,) = checkpoint.newest(saved.checkpoints)
            assert found == before
            assert "step-00000004" in problem
            count += 1
        (folder / name).write_bytes(whole)
    assert checkpoint.newest(saved.checkpoints) == (folder, [])
    assert count >= 500


def json_or_none(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def sign(folder: Path) -> None:
    """A manifest that fits: damage done on purpose."""
    import hashlib

    files = {name: (folder / name).read_bytes() for name in FILES[1:]}
    entries = {name: {"bytes": len(d), "sha256": hashlib.sha256(d).hexdigest()} for name, d in files.items()}
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "files": entries}))


def test_forged_checkpoints_are_used_or_refused_in_one_line(saved: Run, message_of: MessageOf) -> None:
    """What verifies may still be nonsense."""
    chance = random.Random(8)
    folder = max(saved.checkpoints.glob("step-*"))
    for name in FILES[1:]:
        whole = (folder / name).read_bytes()
        head = whole[:600]  # the interesting part of safetensors
        for damaged in mutations(head, 25, chance):
            (folder / name).write_bytes(damaged + whole[600:])
            sign(folder)
            assert "\n" not in (message_of(lambda: load_model(folder)) or "")
        (folder / name).write_bytes(whole)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.pop("progress"),
        lambda s: s.update(progress=[]),
        lambda s: s.update(progress="x"),
        lambda s: s["progress"].update(step="4"),
        lambda s: s["progress"].update(step=-5),
        lambda s: s["progress"].update(step=10**30),
        lambda s: s["progress"].update(step=True),
        lambda s: s["progress"].update(batch=10**9),
        lambda s: s["progress"].update(batch=1.5),
        lambda s: s["progress"].update(elapsed="long"),
        lambda s: s["progress"].update(probes={}),
        lambda s: s.update(dtype="fp4"),
        lambda s: s.update(dtype=[]),
        lambda s: s.update(start=3),
        lambda s: s.update(data_sha256=5),
        lambda s: s.clear(),
    ],
)
def test_a_forged_state_is_gone_on_from_or_refused(
    saved: Run, change: Callable[[Any], object], message_of: MessageOf
) -> None:
    folder = max(saved.checkpoints.glob("step-*"))
    state = json.loads((folder / "state.json").read_text())
    change(state)
    (folder / "state.json").write_text(json.dumps(state))
    sign(folder)
    message = message_of(lambda: list(train(None, saved, resume=True)))
    assert message is None or str(folder) in message


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors"])
def test_weights_of_another_shape_are_refused(saved: Run, lab: Lab, name: str) -> None:
    folder = max(saved.checkpoints.glob("step-*"))
    lab.ready({"training.max_steps": 1, "model.n_embd": 16}, "other")
    (other,) = lab.run("other").checkpoints.glob("step-*")
    shutil.copy(other / name, folder / name)
    sign(folder)
    with pytest.raises(CheckpointError, match="does not fit"):
        list(train(None, saved, resume=True))


def test_a_terabyte_of_holes_is_not_read(saved: Run) -> None:
    """A manifest may say that it belongs there."""
    folder = max(saved.checkpoints.glob("step-*"))
    try:
        os.truncate(folder / "model.safetensors", 2**40)
    except OSError:
        pytest.skip("no sparse files of this size here")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["model.safetensors"]["bytes"] = 2**40
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="does not match its checksum"):
        checkpoint.verify(folder)


# -- run directories ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.yaml", "tokenizer.json", "metrics.jsonl", "report.json", "lock",
                                  "checkpoints", "figures"])  # fmt: skip
def test_nothing_is_written_through_a_link_out_of_a_run(saved: Run, lab: Lab, name: str) -> None:
    outside = lab.folder / "outside"
    if (saved.path / name).exists():
        (saved.path / name).rename(outside)
    else:
        outside.write_text("mine")
    before = outside.read_bytes() if outside.is_file() else b""
    (saved.path / name).symlink_to(outside)
    with pytest.raises(RunError, match=f"{name}: is a link"):
        list(train(None, saved, resume=True))
    assert not outside.is_file() or outside.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs")
@pytest.mark.parametrize("name", ["config.yaml", "tokenizer.json", "metrics.jsonl", "report.json", "lock"])
@pytest.mark.parametrize("thing", ["a FIFO", "a folder", "deep objects"])
def test_a_run_with_anything_in_it_can_be_checked_and_resumed(
    saved: Run, name: str, thing: str, message_of: MessageOf
) -> None:
    path = saved.path / name
    path.unlink(missing_ok=True)
    THINGS[thing](path)
    findings = list(check_run(saved))
    assert (name in ("metrics.jsonl", "lock")) or any(f.level == "error" and name in f.what for f in findings)
    message = message_of(lambda: list(train(None, saved, resume=True)))
    assert message is None or name in message
