"""On Windows the program ends with one sentence, in an interpreter that has the name and the gaps of Windows'."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WINDOWS = """
import runpy, signal, sys
sys.platform = "win32"
for name in ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"):
    sys.modules[name] = None  # an import of it fails
for name in [name for name in vars(signal) if name.startswith("SIG")]:
    if name not in ("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM", "SIG_DFL", "SIG_IGN"):
        delattr(signal, name)
"""
"""Makes the interpreter lack what Python's documentation says is missing on Windows."""


def test_a_start_on_windows_ends_with_one_sentence_that_names_wsl2() -> None:
    starts = "runpy.run_module('tui', run_name='__main__')", "import tui.__main__  # as the console script does"
    for start in starts:
        ended = subprocess.run(
            [sys.executable, "-c", WINDOWS + start, "--version"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stdout) == (1, "")
        [sentence] = ended.stderr.splitlines()
        assert sentence.startswith("tweetgen-tui: ")
        assert "WSL2" in sentence
