"""Completion in shells: the names of runs and checkpoints, and a script for zsh in place of typer's (0.29).

Typer's script completes nothing at the first TAB of a shell that loads it from a file: zsh runs the file as the
function that completes, and that file only defines another one.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable

from engine.checkpoints.catalog import paths_by_name
from engine.storage.folders import list_runs

_PLAIN_NAME = re.compile(r"[\w./+-]+")
_ZSH_SCRIPT = """
#compdef %(prog_name)s

_%(prog_name)s() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" %(autocomplete_var)s=complete_zsh %(prog_name)s)
}

if [[ $funcstack[1] == _%(prog_name)s ]]; then
  _%(prog_name)s "$@"
else
  compdef _%(prog_name)s %(prog_name)s
fi
"""
"""Works where zsh finds it in a file called like its function, and where it is sourced."""


def use_own_zsh_script() -> None:
    """Replace typer's script for zsh, which --install-completion and --show-completion use."""
    with contextlib.suppress(ImportError, AttributeError):  # a later typer keeps its own: there is no public way
        from typer import _completion_shared

        _completion_shared._completion_scripts["zsh"] = _ZSH_SCRIPT  # noqa: SLF001


def complete_run(incomplete: str) -> list[str]:
    """Return the names of runs that begin like this, the latest first."""
    return _plain(incomplete, (run.name for run in list_runs()))


def complete_checkpoint(incomplete: str) -> list[str]:
    """Return the names of checkpoints that begin like this, as `checkpoints list` has them."""
    return _plain(incomplete, sorted(paths_by_name()))


def _plain(incomplete: str, names: Iterable[str]) -> list[str]:
    """Return the names that can be typed without quotes: typer's scripts quote nothing, and zsh evaluates its own."""
    return [name for name in names if name.startswith(incomplete) and _PLAIN_NAME.fullmatch(name)]
