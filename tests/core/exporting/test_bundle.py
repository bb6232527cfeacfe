"""Bundles: out and in again unchanged, and whatever is not a whole bundle is refused without a trace."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import stat
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import checkpoint
from core.errors import CheckpointError, DataError, RunError, UserError
from core.generate import answer
from core.interop.bundle import MAX_MEMBERS, export_bundle, import_bundle
from core.runs import Run, find_run, load_model
from core.tokenizer import Tokenizer

from ..drained import drained
from .conftest import MakeRun, write_run


def imported(file: Path, runs: Path, name: str | None = None) -> Run:
    return drained(import_bundle(file, runs, name))[1]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, vocabulary: Tokenizer) -> Run:
    """A run to be read only, and its bundle beside it."""
    folder = tmp_path_factory.mktemp("original")
    run = write_run(folder / "mine", vocabulary, {"model.n_layer": 1, "model.n_embd": 16}, {"steps": 10})
    (run.path / "figures").mkdir()
    (run.path / "figures" / "loss.svg").write_text("<svg/>")
    (run.path / "train.log").write_text("of no use elsewhere")
    export_bundle(run, folder / "mine.zip")
    return run


@pytest.fixture
def bundle(original: Run, tmp_path: Path) -> Path:
    return Path(shutil.copy(original.path.with_name("mine.zip"), tmp_path))


# -- there and back ----------------------------------------------------------------------------------------------


def test_a_run_comes_back_as_it_was(original: Run, tmp_path: Path, bundle: Path) -> None:
    first = original
    there = imported(bundle, tmp_path / "elsewhere")
    assert there == Run(tmp_path / "elsewhere" / "mine")
    ours, theirs = contents(first.path), contents(there.path)
    assert ours.keys() - theirs.keys() == {
        "train.log", "checkpoints/step-00000010/optimizer.safetensors", "checkpoints/best/optimizer.safetensors",
    }  # fmt: skip
    changed = {name for name in theirs if theirs[name] != ours[name]}
    assert changed == {"checkpoints/step-00000010/manifest.json", "checkpoints/best/manifest.json"}
    for which in ("last", "best"):
        assert answer(there.load(which), "猫吃什么？").text == answer(first.load(which), "猫吃什么？").text
    assert find_run(tmp_path / "elsewhere") == there
    if os.name == "posix":
        assert stat.S_IMODE(there.path.stat().st_mode) == 0o700


def test_the_optimizer_of_a_checkpoint_that_has_none_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    run, _ = make_run()
    (best := run.checkpoints / "best").mkdir(exist_ok=True)
    state, weights, _memory = checkpoint.load(checkpoint.newest(run.checkpoints)[0])
    checkpoint.save(best, state, run.tokenizer_file.read_text(encoding="utf-8"), weights)
    with pytest.raises(CheckpointError, match=r"^best: has no optimizer's memory to hand on"):
        export_bundle(run, tmp_path / "a.zip", which="best", optimizer=True)
    assert not (tmp_path / "a.zip").exists()


def test_with_the_optimizer_training_can_go_on(make_run: MakeRun, tmp_path: Path) -> None:
    run, _loaded = make_run()
    export_bundle(run, tmp_path / "a.zip", optimizer=True)
    there = imported(tmp_path / "a.zip", tmp_path / "elsewhere")
    memory = checkpoint.load(there.checkpoints / "step-00000010", optimizer=True)[2]
    assert memory["memory"].shape == (99,)


def test_one_checkpoint_alone_is_the_last_one_there(make_run: MakeRun, tmp_path: Path) -> None:
    run, _loaded = make_run()
    export_bundle(run, tmp_path / "a.zip", which="best")
    there = imported(tmp_path / "a.zip", tmp_path / "elsewhere")
    assert [path.name for path in there.checkpoints.iterdir()] == ["step-00000010"]
    assert answer(there.load(), "猫？").text == answer(run.load("best"), "猫？").text


def test_the_same_run_gives_the_same_bytes(make_run: MakeRun, tmp_path: Path) -> None:
    run, _loaded = make_run()
    export_bundle(run, tmp_path / "a.zip")
    export_bundle(run, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_an_existing_file_stays(make_run: MakeRun, bundle: Path) -> None:
    run, before = make_run()[0], bundle.read_bytes()
    with pytest.raises(UserError, match="exists already; --force replaces it"):
        export_bundle(run, bundle)
    checkpoint_file = run.checkpoints / "best" / "model.safetensors"
    checkpoint_file.write_bytes(checkpoint_file.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="does not match its checksum"):
        export_bundle(run, bundle, force=True)
    assert bundle.read_bytes() == before


def test_a_name_that_is_taken(tmp_path: Path, bundle: Path) -> None:
    imported(bundle, tmp_path / "runs")
    before = contents(tmp_path / "runs")
    with pytest.raises(RunError, match="exists already; choose another name with --run NAME"):
        imported(bundle, tmp_path / "runs")
    assert contents(tmp_path / "runs") == before
    assert imported(bundle, tmp_path / "runs", "second").name == "second"
    with pytest.raises(RunError, match="a run's name is letters"):
        imported(bundle, tmp_path / "runs", "../second")


# -- what is refused ---------------------------------------------------------------------------------------------

Edit = Callable[[zipfile.ZipInfo, bytes], "list[tuple[zipfile.ZipInfo, bytes]]"]


def rebuilt(bundle: Path, edit: Edit, more: list[tuple[zipfile.ZipInfo, bytes]] | None = None) -> Path:
    """The bundle with its members changed; sums in ``bundle.json`` stay as they were."""
    out = io.BytesIO()
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(out, "w") as new, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that comes twice
        for info in old.infolist():
            for changed, data in edit(info, old.read(info)):
                new.writestr(changed, data)
        for info, data in more or []:
            new.writestr(info, data)
    bundle.write_bytes(out.getvalue())
    return bundle


def keep(info: zipfile.ZipInfo, data: bytes) -> list[tuple[zipfile.ZipInfo, bytes]]:
    return [(info, data)]


def manifest_edit(change: Callable[[dict[str, Any]], Any]) -> Edit:
    def edit(info: zipfile.ZipInfo, data: bytes) -> list[tuple[zipfile.ZipInfo, bytes]]:
        if info.filename == "bundle.json":
            value = json.loads(data)
            replaced = change(value)
            data = json.dumps(value if replaced is None else replaced).encode()
        return [(info, data)]

    return edit


def refused(bundle: Path, words: str) -> None:
    """The bundle is refused with these words in one line, and nothing is left behind."""
    runs = bundle.parent / "elsewhere"
    with pytest.raises(DataError) as caught:
        imported(bundle, runs)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value) and str(bundle) in str(caught.value)
    assert not runs.exists() or list(runs.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["../evil.json", "/etc/evil", "figures/../../evil.svg", "C:\\evil", "figures\\..\\evil", "train.py", "figures/.x",
     "checkpoints/best/model.safetensors/x", "checkpoints/other/state.json", "figures/", "figures/ü.svg"],
)  # fmt: skip
def test_names_that_do_not_belong(bundle: Path, name: str) -> None:
    refused(rebuilt(bundle, keep, [(zipfile.ZipInfo(name), b"x")]), "does not belong in a bundle")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR])
def test_links_and_devices(bundle: Path, kind: int) -> None:
    info = zipfile.ZipInfo("figures/secret.svg")
    info.external_attr = (kind | 0o777) << 16
    refused(rebuilt(bundle, keep, [(info, b"/etc/passwd")]), "is a link or a device")


def test_a_member_that_comes_twice(bundle: Path) -> None:
    refused(rebuilt(bundle, keep, [(zipfile.ZipInfo("config.yaml"), b"x")]), "comes twice")


def test_too_many_members(bundle: Path) -> None:
    more = [(zipfile.ZipInfo(f"figures/{i}.svg"), b"") for i in range(MAX_MEMBERS)]
    refused(rebuilt(bundle, keep, more), f"more than {MAX_MEMBERS} members")


def test_a_zip_bomb_by_its_own_words(bundle: Path) -> None:
    bomb = zipfile.ZipInfo("figures/bomb.svg")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    refused(rebuilt(bundle, keep, [(bomb, bytes(60_000_000))]), "bytes that say they become 60,")


def test_a_zip_bomb_that_understates_its_size(bundle: Path) -> None:
    """No more is ever written than a member says; what is then missing shows in its checksum."""
    bomb = zipfile.ZipInfo("figures/bomb.svg")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    small = {"bytes": 7, "sha256": hashlib.sha256(bytes(7)).hexdigest()}
    add = manifest_edit(lambda value: value["files"].update({"figures/bomb.svg": small}))
    data = bytearray(rebuilt(bundle, add, [(bomb, bytes(60_000_000))]).read_bytes())
    for size in ((60_000_000).to_bytes(4, "little"),):
        while (place := data.find(size)) >= 0:
            data[place : place + 4] = (7).to_bytes(4, "little")
    bundle.write_bytes(data)
    refused(bundle, "damaged")


def test_a_member_that_is_not_in_the_manifest(bundle: Path) -> None:
    refused(rebuilt(bundle, keep, [(zipfile.ZipInfo("figures/new.svg"), b"x")]), "does not name figures/new.svg")


def test_a_member_that_is_missing(bundle: Path) -> None:
    def without(info: zipfile.ZipInfo, data: bytes) -> list[tuple[zipfile.ZipInfo, bytes]]:
        return [] if info.filename == "checkpoints/best/state.json" else [(info, data)]

    refused(rebuilt(bundle, without), "checkpoints/best/state.json is missing")


def test_a_changed_member(bundle: Path) -> None:
    def changed(info: zipfile.ZipInfo, data: bytes) -> list[tuple[zipfile.ZipInfo, bytes]]:
        return [(info, data.replace(b"<svg/>", b"<svh/>"))]

    refused(rebuilt(bundle, changed), "figures/loss.svg does not match its checksum")


@pytest.mark.parametrize(
    "change",
    [lambda v: v.pop("format"), lambda v: v.update(format=2), lambda v: v.update(run=7), lambda v: v.update(files=[]),
     lambda v: v["files"].update({"config.yaml": 1}), lambda v: []],
)  # fmt: skip
def test_a_manifest_that_is_none(bundle: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    def quiet(value: dict[str, Any]) -> Any:
        found = change(value)
        return [] if found == [] else None

    refused(rebuilt(bundle, manifest_edit(quiet)), "bundle.json is not a manifest of this program")


def test_a_run_name_that_leads_elsewhere(bundle: Path, tmp_path: Path) -> None:
    rebuilt(bundle, manifest_edit(lambda value: value.update(run="../../evil")))
    with pytest.raises(RunError, match="a run's name is letters"):
        imported(bundle, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_another_zip_file(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.yaml", "x")
    refused(file, "no bundle of this program")
    file.write_text("hello")
    refused(file, "not a bundle or damaged: File is not a zip file")
    with pytest.raises(DataError, match="no such file"):
        imported(tmp_path / "nowhere.zip", tmp_path / "elsewhere")


def test_parts_that_do_not_fit(bundle: Path) -> None:
    """Sums that are right say nothing of what stands in the files: settings for another width."""
    names = {"checkpoints/step-00000010/state.json": None, "checkpoints/step-00000010/manifest.json": None}
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(bundle) as archive:
        found = {name: archive.read(name) for name in names}
    state = found["checkpoints/step-00000010/state.json"].replace(b'"n_embd": 16', b'"n_embd": 32')
    manifest = json.loads(found["checkpoints/step-00000010/manifest.json"])
    manifest["files"]["state.json"] = {"bytes": len(state), "sha256": hashlib.sha256(state).hexdigest()}
    new = dict(zip(names, (state, json.dumps(manifest).encode()), strict=True))

    def edit(info: zipfile.ZipInfo, data: bytes) -> list[tuple[zipfile.ZipInfo, bytes]]:
        data = new.get(info.filename, data)
        if info.filename == "bundle.json":
            value = json.loads(data)
            for name, changed in new.items():
                value["files"][name] = {"bytes": len(changed), "sha256": hashlib.sha256(changed).hexdigest()}
            data = json.dumps(value).encode()
        return [(info, data)]

    refused(rebuilt(bundle, edit), "damaged: checkpoints/step-00000010: does not fit")


@given(cut=st.none() | st.floats(0, 1), bits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), max_size=3),
       end=st.booleans())  # fmt: skip
def test_any_damage_is_a_line_or_does_no_harm(
    original: Run,
    tmp_path_factory: pytest.TempPathFactory,
    message_of: Callable[[Callable[[], object]], str | None],
    cut: float | None,
    bits: list[tuple[float, int]],
    end: bool,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    raw = bytearray(original.path.with_name("mine.zip").read_bytes())
    for place, bit in bits:  # the end holds the list of members, where a flipped bit does most
        raw[-1 - int(place * (2500 if end else len(raw) - 1))] ^= 1 << bit
    if cut is not None:
        raw = raw[: int(cut * len(raw))]
    (folder / "b.zip").write_bytes(raw)
    runs = folder / "runs"
    message = message_of(lambda: imported(folder / "b.zip", runs))
    if message is None:  # a bit that nothing looks at, such as the date of a member
        load_model(runs / "mine" / "checkpoints" / "step-00000010")
        Run(runs / "mine").delete()
    else:
        assert "\n" not in message
    assert not runs.exists() or list(runs.iterdir()) == []


def test_a_compression_of_which_a_flipped_bit_speaks_is_damage(
    original: Run, tmp_path: Path, message_of: Callable[[Callable[[], object]], str | None]
) -> None:
    with zipfile.ZipFile(original.path.with_name("mine.zip")) as old, zipfile.ZipFile(tmp_path / "b.zip", "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info), compress_type=zipfile.ZIP_BZIP2)
    message = message_of(lambda: imported(tmp_path / "b.zip", tmp_path / "runs"))
    assert message is not None and "is compressed in no way" in message
    assert not (tmp_path / "runs").exists()
