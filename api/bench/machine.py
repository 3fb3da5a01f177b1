"""The machine a bench runs on: its line under every table, its memory, the CPU time of a process."""

from __future__ import annotations

import os
import platform
import re
import resource
from pathlib import Path
from typing import Final

__all__ = ["available_mib", "cpu_seconds_of", "line", "own_cpu_seconds", "peak_mib", "resident_mib"]

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


def line(postgresql: str | None = None) -> str:
    """`2 cores (AMD EPYC), 23 GiB, Python 3.11.7, PostgreSQL 15.14, load 0.4`."""
    model = re.search(r"model name\s*: (.+)", _read("/proc/cpuinfo"))
    cores = len(os.sched_getaffinity(0))
    parts = [
        f"{cores} cores" + (f" ({model[1].strip()})" if model else ""),
        f"{_meminfo('MemTotal') / 1024:.0f} GiB",
        f"Python {platform.python_version()}",
    ]
    if postgresql is not None:
        parts.append(f"PostgreSQL {postgresql}")
    parts.append(f"load {os.getloadavg()[0]:.1f} at the end")
    return ", ".join(parts)


def available_mib() -> float:
    """Memory that can be taken without swapping."""
    return _meminfo("MemAvailable")


def cpu_seconds_of(pid: int) -> float:
    """User and system CPU seconds of a process, threads included (proc(5))."""
    # Field 2 is the command in brackets and may hold spaces: count from the last bracket.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def own_cpu_seconds() -> float:
    """The same of this process, to the microsecond."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident_mib(pid: int | None = None) -> float:
    """Memory that a process (default: this one) holds now."""
    text = _read(f"/proc/{pid or os.getpid()}/status")
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) / 1024 if found else 0.0


def peak_mib() -> float:
    """The most memory that this process has held (proc(5), VmHWM)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", _read("/proc/self/status"))
    return int(found[1]) / 1024 if found else 0.0


def _meminfo(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", _read("/proc/meminfo"))
    return int(found[1]) / 1024 if found else 0.0


def _read(path: str) -> str:
    return Path(path).read_text(errors="replace")
