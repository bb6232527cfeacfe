"""What this machine really gives the process: cores, memory, and the number format it is fast at."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import math
import os
import platform
import sys
import time
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil


def usable_cores(cgroup_root: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores that the process may really use: affinity and cgroup quota, never the host's count alone.

    ``os.cpu_count()`` and ``sched_getaffinity`` both ignore a container's quota; on a shared host that makes
    every process slow.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    quota = _cgroup_quota(cgroup_root)
    if quota is not None:
        cores = min(cores, max(1, math.floor(quota + 0.01)))
    return max(1, cores)


def _cgroup_quota(root: Path) -> float | None:
    """CPU quota in cores of the process's control group (version 2 or 1), the strictest level up the tree."""
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        groups = []
    found: list[float] = []
    for entry in [*groups, "0::/"]:
        parts = entry.split(":", 2)
        if len(parts) != 3:
            continue
        controllers, path = parts[1], parts[2].lstrip("/")
        base = root if controllers == "" else root / "cpu"
        if controllers != "" and "cpu" not in controllers.split(","):
            continue
        for folder in (base / path, *(base / path).parents):
            found += _quota_of(folder)
            if folder in (root, base):
                break
    return min(found, default=None)


def _quota_of(folder: Path) -> list[float]:
    try:
        quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        if quota != "max":
            return [int(quota) / int(period)]
    except (OSError, ValueError, ZeroDivisionError):
        pass
    try:
        micro = int((folder / "cpu.cfs_quota_us").read_text(encoding="utf-8"))
        period_us = int((folder / "cpu.cfs_period_us").read_text(encoding="utf-8"))
        if micro > 0:
            return [micro / period_us]
    except (OSError, ValueError, ZeroDivisionError):
        pass
    return []


#: Turns of the waiting loop (about 50 ns each) before a thread of torch's OpenMP runtime goes to sleep: on a
#: machine of one's own, and on one where others work. The runtime's own 300,000 is for a machine nobody shares.
PATIENCE, PATIENCE_WHEN_BUSY = 10_000, 3_000


#: Compiled matrix products that torch's CPU backend keeps, one for each shape. Its own 1,024 are 30 MB of code more in
#: a training of the teacher recipe, which comes back to the same hundred shapes again and again.
KERNELS_KEPT = 256


def share_the_processor() -> None:
    """Keep torch's threads from waiting for each other in a loop for long. Call before torch is loaded.

    Beside other programs that waiting takes away the very core that the thread waited for needs. A training step
    on 2 cores, in ms, with a patience of 300,000, 10,000 and 3,000: alone 61, 63, 72; at a load of 5: 770, 390,
    380. Results do not depend on it. Whoever sets GOMP_SPINCOUNT or OMP_WAIT_POLICY is obeyed.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KERNELS_KEPT))
    if "GOMP_SPINCOUNT" in os.environ or "OMP_WAIT_POLICY" in os.environ:
        return
    try:
        busy = os.getloadavg()[0] > 1.5 * (os.cpu_count() or 1)
    except (AttributeError, OSError):  # Windows
        busy = False
    os.environ["GOMP_SPINCOUNT"] = str(PATIENCE_WHEN_BUSY if busy else PATIENCE)


#: glibc's names for the settings below, its own and its highest value for the first, and how much free memory at the
#: end of the heap it may keep: with no bound a training of the teacher recipe peaked at 607 instead of 580 MB.
_MMAP_THRESHOLD, _TRIM_THRESHOLD, _ARENA_MAX = -3, -1, -8
_MMAP_LOWEST, _MMAP_HIGHEST, _KEPT = 128 * 1024, 32 * 1024**2, 64 * 1024**2


def reuse_memory(most: int = _KEPT) -> None:
    """Let glibc keep up to ``most`` bytes of what a training step frees for the next one, in whichever thread; with 0
    it gives every large piece back at once.

    By itself it gives the activations back after every step and asks for them again: 11,000 page faults, and 50
    instead of 42 ms for the forward pass of a reader step; in a thread of the app's twice as many as in the main one.
    ``give_back_memory`` still gives back what is free.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            largest = _MMAP_HIGHEST if most else _MMAP_LOWEST
            for name, value in ((_MMAP_THRESHOLD, largest), (_TRIM_THRESHOLD, most), (_ARENA_MAX, 1)):
                mallopt(name, value)


@cache
def fast_dtype() -> str:
    """'bf16' where this processor multiplies matrices at least 1.3 times as fast in it, else 'fp32'.

    Measured, not looked up: 20 ms at start. With AMX the ratio is 4 to 8, without any support it is below 1,
    so a noisy machine does not tip the choice.
    """
    import torch

    def seconds(dtype: torch.dtype) -> float:
        a = torch.ones(512, 256, dtype=dtype)
        b = torch.ones(256, 1024, dtype=dtype)
        times = []
        for _ in range(6):
            begin = time.perf_counter()
            torch.mm(a, b)
            times.append(time.perf_counter() - begin)
        return min(times[1:])

    try:
        return "bf16" if seconds(torch.float32) > 1.3 * seconds(torch.bfloat16) else "fp32"
    except RuntimeError:
        return "fp32"


def choose_device(wanted: str) -> str:
    """'cpu', 'cuda' or 'mps' for ``training.device``. Raises ``ConfigError`` when it is not there."""
    import torch

    from .errors import ConfigError

    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    if wanted == "auto":
        return available[0]
    if wanted not in available:
        raise ConfigError(
            "training.device: {wanted} is not available on this machine; there are: {names}",
            wanted=wanted,
            names=", ".join(available),
        )
    return wanted


def choose_dtype(wanted: str, device: str) -> str:
    """'fp32' or 'bf16' for ``training.dtype``."""
    if wanted != "auto":
        return wanted
    if device == "cpu":
        return fast_dtype()
    import torch

    return "bf16" if device == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


def require_device(tensors: Iterable[tuple[str, Any]], device: str) -> None:
    """Every named tensor must be where the training computes. Raises ``RunError`` naming the first that is not."""
    from .errors import RunError

    for name, tensor in tensors:
        if tensor.device.type != device:
            raise RunError(
                "{name} is on the device {found}, the training on {wanted}",
                name=name, found=tensor.device.type, wanted=device,
            )  # fmt: skip


def resident_memory() -> int:
    """Bytes of memory the process holds now."""
    return int(psutil.Process().memory_info().rss)


def peak_memory() -> int:
    """Largest number of bytes the process ever held."""
    try:
        import resource
    except ImportError:  # Windows
        return int(getattr(psutil.Process().memory_info(), "peak_wset", resident_memory()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def give_back_memory() -> None:
    """Return freed memory to the system: glibc keeps it, 100 MB after a few hundred steps of changing lengths."""
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the system or the device had no memory left: Python's error, or one of torch's many."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or "out of memory" in text or "can't allocate memory" in text
    )


@cache
def processor_name() -> str:
    """The processor's model name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@cache
def code_version() -> dict[str, str]:
    """The version of this program, and a SHA-256 over the engine's own source files."""
    digest = hashlib.sha256()
    engine = Path(__file__).parent
    for name in sorted(path.relative_to(engine).as_posix() for path in engine.rglob("*.py")):
        digest.update(name.encode() + b"\0" + (engine / name).read_bytes())
    try:
        version = metadata.version("gpt-tui")
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        version = "unknown"
    return {"version": version, "sha256": digest.hexdigest()}


def describe() -> dict[str, Any]:
    """The machine and the versions, for a report: no host name, no user name."""
    import torch

    return {
        "processor": processor_name(),
        "cores": usable_cores(),
        "memory_bytes": int(psutil.virtual_memory().total),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "code": code_version(),
    }
