"""`python -m tests.without_proc [ARGUMENT ...]`: runs tests as on macOS, as far as Linux can look like it.

The arguments are pytest's; without one, all tests run. In a mount namespace of its own, /proc has only what libraries
can't do without on Linux, as they can on macOS: PyTorch reads cpuinfo, and the import of psutil stat. Later, psutil
reads the real /proc, which is elsewhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_HIDE = """
mount --rbind /proc "$0"
mount -t tmpfs tmpfs /proc
for name in cpuinfo stat; do
    touch /proc/$name
    mount --bind "$0/$name" /proc/$name
done
exec "$@"
"""
_START = """
import os, select, signal, socket, time
import psutil

psutil.PROCFS_PATH = {proc!r}
for name in {missing!r}:
    module, name = name.split(".")
    vars(globals()[module]).pop(name, None)
"""
"""Runs at the start of every Python process below."""
_MISSING = (
    *("os.sched_getaffinity", "os.posix_fallocate", "os.pidfd_open", "os.memfd_create", "os.eventfd", "os.O_TMPFILE"),
    *("os.copy_file_range", "os.getrandom", "os.pipe2", "os.splice", "select.epoll", "signal.SIGPWR", "signal.SIGCLD"),
    *("signal.SIGSTKFLT", "signal.sigtimedwait", "signal.sigwaitinfo", "socket.SOCK_CLOEXEC", "socket.SOCK_NONBLOCK"),
    "time.CLOCK_BOOTTIME",
)
"""What Python has on Linux and not on macOS."""
_TMPDIR_BYTES = len("/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T")
_LOCALE = ("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "PYTHONUTF8", "PYTHONIOENCODING")


def main(arguments: list[str]) -> int:
    """Run pytest with these arguments; return its exit code. Exits with a sentence where /proc can't be hidden."""
    namespace = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    with tempfile.TemporaryDirectory(prefix="macos-") as base:
        folders = "folders".ljust(_TMPDIR_BYTES - len(base) - len("/var//T"), "_")
        proc, start, temporary = (Path(base, name) for name in ("proc", "start", f"var/{folders}/T"))
        Path(base, "private/var").mkdir(parents=True)
        Path(base, "var").symlink_to("private/var")
        for folder in (proc, start, temporary):
            folder.mkdir(parents=True)
        (start / "sitecustomize.py").write_text(_START.format(proc=str(proc), missing=_MISSING), encoding="utf-8")
        hidden = [*namespace, "sh", "-e", "-c", _HIDE, str(proc)]
        try:
            probe = subprocess.run([*hidden, "true"], capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            sys.exit(f"/proc can't be hidden: {error.filename} is not installed.")
        if probe.returncode:
            why = (probe.stderr.strip().splitlines() or ["no reason given"])[-1]
            sys.exit(f"/proc can't be hidden: this needs root, or user namespaces that anybody may create: {why}")
        print(f"hidden: /proc but for cpuinfo and stat; {', '.join(_MISSING)}; {', '.join(_LOCALE)}")
        print(f"TMPDIR: {temporary}, behind a link and as long as macOS's; data folders below a name with a space")
        environment = {name: value for name, value in os.environ.items() if name not in _LOCALE}
        environment |= {"TMPDIR": str(temporary), "PYTHONPATH": str(start)}
        data = Path(base, "Application Support")
        command = [sys.executable, "-m", "pytest", "--color=no", f"--basetemp={data}", "-rs", *arguments]
        print(" ".join(command[1:]), flush=True)
        return subprocess.run([*hidden, *command], cwd=_ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
