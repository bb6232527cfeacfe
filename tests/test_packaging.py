"""The project as others get it: its metadata, its pins, and a wheel that works with no checkout around it."""

from __future__ import annotations

import importlib
import os
import re
import site
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any, cast

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Python 3.10 has no tomllib, but pytest brings tomli along there.
toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = toml.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


def requirements() -> list[Requirement]:
    extras = PROJECT["project"]["optional-dependencies"]
    lines = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["build-system"]["requires"],
        *(line for extra in extras.values() for line in extra),
    ]
    return [Requirement(line) for line in lines]


def pins() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def pins_for(python: str) -> dict[str, str]:
    """Name and version of everything pinned on Linux for this Python."""
    environment: dict[str, str] = {**cast(dict[str, str], default_environment())}
    environment.update(python_version=python, sys_platform="linux")
    chosen: dict[str, str] = {}
    for pin in pins():
        if pin.marker is None or pin.marker.evaluate(environment):
            name = canonicalize_name(pin.name)
            assert name not in chosen, f"two pins of {name} for Python {python}"
            chosen[name] = str(pin.specifier).removeprefix("==")
    return chosen


def version() -> str:
    text = (ROOT / PROJECT["tool"]["hatch"]["version"]["path"]).read_text(encoding="utf-8")
    (found,) = re.findall(r'^__version__ = "(\d+\.\d+\.\d+)"$', text, flags=re.MULTILINE)
    return str(found)


def test_version_stands_in_one_place() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert version()


def test_what_goes_into_the_wheel_is_there() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {
        "data": "core/_bundled/data",
        "config.yaml": "core/_bundled/config.yaml",
    }
    names = [*wheel["packages"], *wheel["force-include"], PROJECT["project"]["readme"]]
    assert [name for name in names if not (ROOT / name).exists()] == []
    assert [file.name for file in (ROOT / "data").iterdir()], "the bundled corpus is missing"


def test_every_pin_is_exact_and_names_no_build() -> None:
    for pin in pins():
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier)), str(pin)


@pytest.mark.parametrize("python", PYTHONS)
def test_every_dependency_is_pinned_within_its_range(python: str) -> None:
    chosen = pins_for(python)
    for requirement in requirements():
        version = chosen.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} has no pin"
        assert requirement.specifier.contains(version), f"{requirement} does not admit {version}"


def test_supported_pythons_agree() -> None:
    listed = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    assert listed == PYTHONS
    assert PROJECT["project"]["requires-python"] == f">={PYTHONS[0]}"


def run(command: list[str | Path], folder: Path, *, home: Path | None = None) -> str:
    """Standard output; a failure shows everything. No variable of the tests leads to the checkout."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "GPT_TUI"))}
    environment["PYTHONUTF8"] = "1"
    if home is not None:
        environment["HOME"] = environment["XDG_CACHE_HOME"] = str(home)
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_wheel_works_from_an_empty_folder(tmp_path: Path) -> None:
    dist, env, empty = tmp_path / "dist", tmp_path / "env", tmp_path / "empty"
    empty.mkdir()
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", dist], ROOT)
    (wheel,) = dist.glob("gpt_tui-*.whl")

    # Its own environment, which borrows the dependencies of this one but not the way to the checkout:
    # a .pth file inside a folder that a .pth file names is not read.
    venv.create(env, symlinks=os.name != "nt")
    scripts = env / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    install = ["install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    run([sys.executable, "-m", "pip", "--python", python, *install, wheel], empty)
    places = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], empty)
    borrowed = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()])
    (Path(places.strip()) / "borrowed.pth").write_text("\n".join(borrowed) + "\n", encoding="utf-8")

    where = "import core, gpt_tui; print(core.__file__); print(gpt_tui.__file__)"
    for line in run([python, "-c", where], empty).splitlines():
        assert Path(line).resolve().is_relative_to(env.resolve())
    program = scripts / "gpt-tui"
    assert version() in run([program, "--version"], empty, home=tmp_path)
    run([program, "--no-ui", "train", "--steps", "5"], empty, home=tmp_path)
    (made,) = (empty / "runs").iterdir()
    assert (made / "metrics.jsonl").stat().st_size > 0
