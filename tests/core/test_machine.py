"""What the machine really gives the process."""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core import machine
from core.errors import ConfigError
from core.machine import choose_device, describe, fast_dtype, peak_memory, resident_memory, usable_cores

Fake = Callable[..., Path]


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """A function that makes a tree of control groups, for a process that may use 16 cores, and returns its root."""
    read_text = Path.read_text

    def make(entries: str, files: dict[str, str], cores: int = 16) -> Path:
        def fake(path: Path, *args: str, **kwargs: str) -> str:
            return entries if str(path) == "/proc/self/cgroup" else read_text(path, *args, **kwargs)

        monkeypatch.setattr(Path, "read_text", fake)
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return make


V2 = "0::/user.slice/job\n"
V1 = "4:memory:/m\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/x\n0::/\n"


@pytest.mark.parametrize(
    ("entries", "files", "cores"),
    [
        (V2, {}, 16),
        (V2, {"user.slice/job/cpu.max": "max 100000\n"}, 16),
        (V2, {"user.slice/job/cpu.max": "200000 100000\n"}, 2),
        (V2, {"user.slice/job/cpu.max": "150000 100000\n"}, 1),
        (V2, {"user.slice/job/cpu.max": "50000 100000\n"}, 1),
        (V2, {"user.slice/job/cpu.max": "199999 100000\n"}, 2),
        (V2, {"user.slice/job/cpu.max": "800000 100000\n", "user.slice/cpu.max": "300000 100000\n"}, 3),
        (V2, {"user.slice/job/cpu.max": "max 100000\n", "cpu.max": "400000 100000\n"}, 4),
        (V2, {"other/cpu.max": "100000 100000\n"}, 16),
        (V2, {"user.slice/job/cpu.max": "9900000 100000\n"}, 16),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),  # a container that sees its own group as the root
        ("0::/../../host/job\n", {"cpu.max": "200000 100000\n"}, 2),
        ("", {"cpu.max": "200000 100000\n"}, 2),
        (V1, {"cpu/docker/abc/cpu.cfs_quota_us": "200000\n", "cpu/docker/abc/cpu.cfs_period_us": "100000\n"}, 2),
        (V1, {"cpu/docker/abc/cpu.cfs_quota_us": "-1\n", "cpu/docker/abc/cpu.cfs_period_us": "100000\n"}, 16),
        (V1, {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        (V1, {"memory/m/cpu.max": "100000 100000\n", "cpu/other/cpu.cfs_quota_us": "1\n"}, 16),
        (V2, {"user.slice/job/cpu.max": "nonsense\n"}, 16),
        (V2, {"user.slice/job/cpu.max": "100000 0\n"}, 16),
        (V2, {"user.slice/job/cpu.max": ""}, 16),
        (V1, {"cpu/docker/abc/cpu.cfs_quota_us": "200000\n"}, 16),
        ("broken\n", {}, 16),
    ],
)
def test_a_quota_counts_and_nonsense_does_not(groups: Fake, entries: str, files: dict[str, str], cores: int) -> None:
    assert usable_cores(groups(entries, files)) == cores


def test_affinity_counts_too(groups: Fake) -> None:
    assert usable_cores(groups(V2, {"user.slice/job/cpu.max": "400000 100000\n"}, cores=3)) == 3
    assert usable_cores(groups(V2, {"user.slice/job/cpu.max": "200000 100000\n"}, cores=3)) == 2


def test_systems_without_affinity_and_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cores(tmp_path / "none") == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores(tmp_path / "none") == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_a_process_bound_to_one_core_has_one(python: Callable[..., subprocess.Popen[str]]) -> None:
    process = python(
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from core.machine import usable_cores; print(usable_cores())"
    )
    out, _ = process.communicate(timeout=60)
    assert out == "1\n"


def test_this_machine_has_a_core() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_the_fast_format_is_measured_once() -> None:
    assert fast_dtype() in ("bf16", "fp32")
    assert fast_dtype() is fast_dtype()


@pytest.mark.parametrize(("bf16", "dtype"), [(0.001, "bf16"), (0.009, "fp32"), (0.02, "fp32")])
def test_bf16_must_be_clearly_faster(monkeypatch: pytest.MonkeyPatch, bf16: float, dtype: str) -> None:
    now = [0.0]

    def mm(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        now[0] += bf16 if a.dtype == torch.bfloat16 else 0.01
        return a

    monkeypatch.setattr(torch, "mm", mm)
    monkeypatch.setattr(machine.time, "perf_counter", lambda: now[0])
    assert fast_dtype.__wrapped__() == dtype


def test_a_processor_without_bf16_computes_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    def mm(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("not implemented for 'BFloat16'")

    monkeypatch.setattr(torch, "mm", mm)
    assert fast_dtype.__wrapped__() == "fp32"


def test_a_device_that_is_not_there_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    with pytest.raises(ConfigError, match=r"training\.device: cuda is not available on this machine; there are: cpu"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == "cuda"
    assert choose_device("cpu") == "cpu"


def test_memory_is_counted_in_bytes() -> None:
    assert 20_000_000 < resident_memory() <= peak_memory() * 1.01
    assert peak_memory() < 64 * 2**30


def test_a_report_names_the_machine_but_nobody() -> None:
    found = describe()
    assert set(found) == {"processor", "cores", "memory_bytes", "system", "python", "torch", "code"}
    assert re.fullmatch("[0-9a-f]{64}", found["code"]["sha256"])
    assert found["torch"] == torch.__version__
    assert found["memory_bytes"] > 10**8
    text = json.dumps(found)
    assert socket.gethostname() not in text
    assert getpass.getuser() not in text.split() or getpass.getuser() == "root"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")
def test_the_c_library_takes_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    library, taken = machine.ctypes.CDLL(None), []

    class Watched:
        @staticmethod
        def mallopt(name: int, value: int) -> int:
            taken.append(library.mallopt(name, value))
            return 1

    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: Watched)
    machine.reuse_memory()
    assert taken == [1, 1, 1], "glibc answers 0 to a value beyond its bounds, and leaves all as it was"


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: object())
    machine.reuse_memory()
    machine.give_back_memory()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's")
def test_freed_memory_is_kept_where_asked() -> None:
    """A large piece is given back to the system when it is freed, unless the process has been told to keep it."""
    code = """
import ctypes, sys
from core import machine
if sys.argv[1] == "reuse":
    machine.reuse_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
size = 20_000_000
piece = libc.malloc(ctypes.c_size_t(size))
ctypes.memset(ctypes.c_void_p(piece), 1, size)
before = machine.resident_memory()
libc.free(piece)
print(before - machine.resident_memory())
"""
    given_back = [
        int(subprocess.run([sys.executable, "-c", code, how], capture_output=True, check=True).stdout)
        for how in ("reuse", "no")
    ]
    assert given_back[0] < 1_000_000
    assert given_back[1] > 15_000_000
