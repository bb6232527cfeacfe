"""Make .venv ready: ``python3 tools/install.py --extras test,plots``. Standard library only.

On Linux and Windows an ordinary package index may answer ``torch`` with several gigabytes of GPU libraries.
So torch comes first and by itself, from its own index of CPU builds where that answers, otherwise from the
index that pip is set up with. The rest follows, pinned by constraints.txt. What is asked of the network has a
time limit, and a stamp in the environment makes the next call instant and silent.

GPT_TUI_TORCH_INDEX   an index to take torch from, or ``none`` for the one that pip is set up with
PIP_DEFAULT_TIMEOUT, PIP_RETRIES and pip's other settings are respected.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

ROOT = Path(__file__).resolve().parent.parent
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SETTING = "GPT_TUI_TORCH_INDEX"
ORDINARY = "the index that pip is set up with"
STAMP = ".gpt-tui-install.json"
PROBE_SECONDS = 4.0
DRY_RUN_SECONDS = 60.0
SIZE_SECONDS = 8.0
GPU_PARTS = re.compile(r"^(nvidia|cuda|triton|pytorch-triton|intel-sycl|rocm)\b")
T = TypeVar("T")


class InstallError(Exception):
    """Ends the installation; the text is the one line that the user reads."""


def say(text: str) -> None:
    print(f"install: {text}", flush=True)


def quiet(command: list[str], seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command whose output is read, not shown."""
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)


# ---- what is there already


class Interpreter(NamedTuple):
    """The Python inside the environment, as it answers now (not as pyvenv.cfg once said)."""

    version: str
    has_pip: bool


def venv_python(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ask_python(venv: Path, code: str) -> str | None:
    """What the code prints there, or None if it fails. -I: no user site, no PYTHONPATH."""
    try:
        done = quiet([str(venv_python(venv)), "-I", "-c", code], 120)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def look_inside(venv: Path) -> Interpreter | None:
    code = "import sys, importlib.util as u; print(*sys.version_info[:3], u.find_spec('pip') is not None)"
    words = (ask_python(venv, code) or "").split()
    return Interpreter(".".join(words[:3]), words[3] == "True") if len(words) == 4 else None


def installed_torch(venv: Path) -> str | None:
    return ask_python(venv, "from importlib.metadata import version; print(version('torch'))")


def same_release(version: str | None, pin: str) -> bool:
    """2.13.0+cpu is the release 2.13.0; 2.13.0rc1 and 2.13.1 are not."""
    return version is not None and version.partition("+")[0] == pin


# ---- the stamp


def fingerprint(root: Path, python_version: str) -> str:
    """Changes with the project's needs, with Python, and when the checkout (and so the scripts) moved."""
    parts = [str(root).encode(), python_version.encode()]
    parts += [(root / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def stamped_extras(venv: Path, mark: str) -> set[str] | None:
    """The extras installed for this very fingerprint, or None."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
        return set(stamp["extras"]) if stamp["fingerprint"] == mark else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_stamp(venv: Path, mark: str, extras: set[str]) -> None:
    text = json.dumps({"fingerprint": mark, "extras": sorted(extras)})
    (venv / STAMP).write_text(text + "\n", encoding="utf-8")


# ---- where torch comes from


def read_pin(constraints: str, name: str) -> str:
    match = re.search(rf"^{re.escape(name)}\s*==\s*([^\s;#]+)", constraints, flags=re.MULTILINE)
    if match is None:
        raise InstallError(f"constraints.txt has no line {name}==…")
    return match.group(1)


def without_password(url: str) -> str:
    return re.sub(r"(?<=//)[^/@]*@", "", url)


def _look(index: str, pin: str, seconds: float) -> str:
    try:
        with urllib.request.urlopen(index.rstrip("/") + "/torch/", timeout=seconds) as answer:
            page = answer.read(16 << 20)
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}"
    except urllib.error.URLError as error:
        return f"not reachable: {error.reason}"
    except (OSError, ValueError) as error:
        return f"not reachable: {error}"
    # A login page of the house's network answers too, so look for the release itself.
    offered = re.search(rb"torch-%b(\+|%%2B|-)" % re.escape(pin.encode()), page)
    return "" if offered else f"no torch {pin} there"


def within(seconds: float, work: Callable[[], T]) -> T | None:
    """The result of ``work``, or None once the time is up, whatever ``work`` waits for.

    A socket's own time-out covers neither the look-up of a name nor an answer that only trickles in; leaving
    a thread behind does.
    """
    result: list[T] = []
    thread = threading.Thread(target=lambda: result.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    return result[0] if result else None


def probe(index: str, pin: str, seconds: float = PROBE_SECONDS) -> str:
    """Nothing if the index offers this torch, otherwise why it does not; always within the time limit."""
    parts = urllib.parse.urlsplit(index)
    if parts.scheme not in ("http", "https") or parts.username:
        return ""  # a folder, or behind a password: pip will see
    reason = within(seconds, lambda: _look(index, pin, seconds))
    return f"no answer within {seconds:g} s" if reason is None else reason


class Source(NamedTuple):
    """An index for torch (None: the one that pip is set up with), and a word about it where one is due."""

    url: str | None
    note: str = ""


def choose_source(setting: str, system: str, ask: Callable[[str], str]) -> Source:
    """The setting goes first; without one, macOS needs no other index: its ordinary builds are CPU builds."""
    setting = setting.strip()
    if setting.lower() == "none" or (not setting and system == "Darwin"):
        return Source(None)
    url = setting or CPU_INDEX
    reason = ask(url)
    if not reason:
        return Source(url)
    name = SETTING if setting else "torch's own index"
    return Source(None, f"{name} ({without_password(url)}) is left out: {reason}")


# ---- pip


def pip_install(venv: Path, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The beginning of every command: pinned, asking nothing, and never waiting for ever."""
    timeout = environ.get("PIP_DEFAULT_TIMEOUT") or environ.get("PIP_TIMEOUT") or "20"
    limits = ["--timeout", timeout, "--retries", environ.get("PIP_RETRIES") or "3"]
    command = [str(venv_python(venv)), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    return [*command, *limits, "--constraint", "constraints.txt"]


def last_error(output: str) -> str:
    """What was wrong, in one line: a broken connection rather than the empty list of versions after it."""
    broken = re.findall(r"connection broken by ['\"](.*)['\"]: ", output)
    errors = re.findall(r"^ *error: *(.+)", output, flags=re.IGNORECASE | re.MULTILINE)
    told = broken[-1:] or errors[:1] or output.strip().splitlines()[-1:] or ["pip said nothing"]
    plain = re.sub(r"^\w+\(['\"](.*)['\"]\)$", r"\1", told[0])
    return without_password(re.sub(r"<[^>]*>: ", "", plain)).rstrip(". ")[:300]


def run_pip(venv: Path, arguments: list[str], *, show: bool = False) -> str | None:
    """Runs pip install; None if it worked, otherwise its error. ``show`` lets its progress through."""
    command = [*pip_install(venv), *arguments]
    if not sys.stdout.isatty():
        command += ["--progress-bar", "off"]
    elif show:
        failed = subprocess.call(command, cwd=ROOT, stdin=subprocess.DEVNULL)
        return "pip's message stands above" if failed else None
    done = quiet([*command, "--quiet"])
    return last_error(done.stdout + done.stderr) if done.returncode else None


def pip_twice(venv: Path, what: str, arguments: list[str], hint: str, *, show: bool = False) -> None:
    say(what)
    error = run_pip(venv, arguments, show=show)
    if error is not None:
        say(f"that failed ({error}), trying once more")
        error = run_pip(venv, arguments, show=show)
    if error is not None:
        raise InstallError(f"could not install {what}: {error}. {hint}")


# ---- the warning before gigabytes of GPU libraries


def dry_run(venv: Path, requirement: str) -> dict[str, Any]:
    """pip's report of what it would install; empty if it cannot tell in time."""
    command = [*pip_install(venv), "--dry-run", "--quiet", "--report", "-", requirement]
    try:
        done = quiet(command, DRY_RUN_SECONDS)
        report = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    return report if isinstance(report, dict) else {}


def gpu_parts(report: dict[str, Any]) -> list[str]:
    names = (str(item["metadata"]["name"]).lower().replace("_", "-") for item in report.get("install", []))
    return sorted(name for name in names if GPU_PARTS.match(name))


def _file_size(url: str, seconds: float) -> int:
    if url.startswith("file:"):
        return os.path.getsize(urllib.request.url2pathname(urllib.parse.urlsplit(url).path))
    with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=seconds) as answer:
        return int(answer.headers["Content-Length"])


def download_size(urls: list[str], seconds: float = SIZE_SECONDS) -> int | None:
    """Bytes of all these files together, or None if that cannot be told in time."""

    def total() -> int | None:
        try:
            return sum(_file_size(url, seconds) for url in urls)
        except (OSError, TypeError, ValueError):
            return None

    return within(seconds, total)


def gpu_warning(parts: list[str], size: int | None, pin: str) -> str:
    amount = f"{size / 1e9:.1f} GB" if size is not None else "several gigabytes"
    return (
        f"{ORDINARY} offers the GPU build of torch {pin}: {amount} to download, "
        f"with {len(parts)} packages for NVIDIA cards that gpt-tui does not use. It works, only larger. "
        f"To avoid it, stop now (Ctrl-C) and set {SETTING} to an index with CPU builds, "
        f"such as {CPU_INDEX} or a mirror of it."
    )


def warn_of_gpu_build(venv: Path, pin: str) -> None:
    report = dry_run(venv, f"torch=={pin}")
    parts = gpu_parts(report)
    if parts:
        urls = [item["download_info"]["url"] for item in report["install"]]
        say(gpu_warning(parts, download_size(urls), pin))


# ---- the phases


def ready_venv(venv: Path) -> Interpreter:
    """The environment's Python, after making or mending the environment where needed."""
    found = look_inside(venv)
    if found is not None and found.has_pip:
        return found
    if venv.exists() and not (venv / "pyvenv.cfg").exists():
        raise InstallError(f"{venv} exists and is no Python environment; choose another with --venv")
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        raise InstallError(
            f"this Python lacks its module {missing[0]}; on Debian and Ubuntu: sudo apt install python3-venv"
        )
    if found is None:
        say(f"{venv.name} with Python {platform.python_version()}")
        command = [sys.executable, "-m", "venv", "--clear", str(venv)]
    else:
        command = [str(venv_python(venv)), "-m", "ensurepip"]
    done = quiet(command)
    found = look_inside(venv)
    if found is None or not found.has_pip:
        output = (done.stdout + done.stderr).strip() or f"{venv_python(venv)} does not run"
        raise InstallError(f"could not make {venv}: {output.splitlines()[-1]}")
    return found


def torch_from(venv: Path, url: str, pin: str) -> bool:
    """Only torch itself from there: what it needs comes with the rest, as pinned, from the ordinary index."""
    say(f"torch {pin} from {without_password(url)}")
    error = run_pip(venv, ["--no-deps", "--index-url", url, f"torch=={pin}"], show=True)
    if error is not None:
        say(f"that failed ({error}), going on with {ORDINARY}")
    return error is None


def install_torch(venv: Path, pin: str) -> None:
    if same_release(installed_torch(venv), pin):
        return
    source = choose_source(os.environ.get(SETTING, ""), platform.system(), lambda url: probe(url, pin))
    if source.note:
        say(source.note)
    if source.url is None or not torch_from(venv, source.url, pin):
        if platform.system() == "Linux":
            warn_of_gpu_build(venv, pin)
        hint = (
            f"Check the network and the disk, or set {SETTING} to an index that has torch {pin} for "
            f"Python {platform.python_version()} on {platform.system()} {platform.machine()}."
        )
        pip_twice(venv, f"torch {pin} from {ORDINARY}", [f"torch=={pin}"], hint, show=True)


def check_torch(venv: Path, pin: str) -> None:
    """Starting it takes a second, and tells a missing system library from a fault of gpt-tui."""
    done = quiet([str(venv_python(venv)), "-I", "-c", "import torch"])
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise InstallError(f"torch {pin} is installed but does not start here: {reason[0]}")


def install(venv: Path, extras: set[str]) -> None:
    start = time.monotonic()
    found = ready_venv(venv)
    if tuple(map(int, found.version.split(".")[:2])) < (3, 10):
        raise InstallError(f"{venv} has Python {found.version}; gpt-tui needs 3.10 or newer: remove it and run again")
    mark = fingerprint(ROOT, found.version)
    before = stamped_extras(venv, mark)
    if before is not None and extras <= before:
        return
    (venv / STAMP).unlink(missing_ok=True)  # until all of it is done

    hint = "Check the network, or pip's index setting, and run the same again."
    pip_twice(venv, "pip and the build tools", ["pip", "hatchling", "editables"], hint)
    pin = read_pin((ROOT / "constraints.txt").read_text(encoding="utf-8"), "torch")
    install_torch(venv, pin)
    wanted = extras | (before or set())
    names = ",".join(sorted(wanted))
    project = f".[{names}]" if names else "."
    what = f"gpt-tui and what it needs ({names})" if names else "gpt-tui and what it needs"
    pip_twice(venv, what, ["--no-build-isolation", "--editable", project], hint)
    check_torch(venv, pin)
    write_stamp(venv, mark, wanted)
    say(f"done in {time.monotonic() - start:.0f} s")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Make the project's Python environment ready.")
    parser.add_argument("--extras", default="", help="extras of pyproject.toml, separated by commas")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="the environment (default: .venv)")
    options = parser.parse_args(arguments)
    try:
        if sys.version_info < (3, 10):  # noqa: UP036 - this is the place that says so
            raise InstallError(
                f"gpt-tui needs Python 3.10 or newer, this is {platform.python_version()}; "
                "name another: make PYTHON=python3.12 …"
            )
        install(options.venv.absolute(), {name.strip() for name in options.extras.split(",") if name.strip()})
    except InstallError as error:
        print(f"install: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("install: stopped; run the same again to go on", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
