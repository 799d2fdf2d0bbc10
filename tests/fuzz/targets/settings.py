"""`config.toml`: read, reported on, and changed, or left exactly as it is."""

from __future__ import annotations

from pathlib import Path

from engine.errors import ConfigError, StorageError
from tests.fuzz.target import Target, require_plain
from tui.settings.preferences import ENTRIES, read_preferences
from tui.settings.store import save_changes

SEEDS = (
    b'theme = "rose-pine"\n\n[screen]\nmouse = false  # in tmux\nglyphs = "ascii"\n',
    b"[notices]\ntitle = true\nbell = false\n[intervals]\neval_every = 200\nautosave_seconds = 30.5\n",
    b'[keys]\npause = "f5"\nquit = ["ctrl+x", "x"]\n"save" = "s"\n[other]\nnew = 1979-05-27T07:32:00Z\n',
    b'[screen]\nmouse = {a.b = 1}\n[[keys]]\nx = [1, 2, {y = "z"}]\n[a.b."c d"]\n"e" = """\nlines\n"""\n',
)
TOKENS = (*b"[ ] [[ ]] = { } . # \"\"\" '''".split(), b" = ", b"\n[keys]\n", b"inf", b"a.b.c = 1\n")


def make(folder: Path) -> Target:
    """Return the target."""
    path = folder / "config.toml"
    return Target(name="settings", seeds=SEEDS, tokens=TOKENS, check=lambda data: _check(path, data), max_seconds=2.0)


def _check(path: Path, data: bytes) -> str:
    """Read the file and save changes to it."""
    path.write_bytes(data)
    preferences, problems = read_preferences(path)
    require_plain(*problems)
    assert all(len(problem) <= 400 for problem in problems)
    try:
        save_changes(path, {"theme": "dracula", "mouse": True, "eval_every": None})
    except (ConfigError, StorageError) as error:
        require_plain(error.message, error.hint)
        assert path.read_bytes() == data
        return f"kept {' '.join(problems)} {error.message}"
    again, _ = read_preferences(path)
    assert (again.theme, again.mouse, again.eval_every) == ("dracula", True, None)
    chosen = [entry.name for entry in ENTRIES if getattr(preferences, entry.name) != getattr(again, entry.name)]
    assert {*chosen} <= {"theme", "mouse", "eval_every"}
    return f"saved {' '.join(problems)}"
