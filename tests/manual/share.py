"""The files that the wheel installs below `share/`: the manual page and the completion scripts, in `assets/share/`."""

from __future__ import annotations

from pathlib import Path

from typer._completion_shared import get_completion_script

from tests.manual.page import PROGRAM, manual_page

SHARE = Path(__file__).parents[2] / "assets" / "share"
_SCRIPTS = {
    "bash": f"bash-completion/completions/{PROGRAM}",
    "zsh": f"zsh/site-functions/_{PROGRAM}",
    "fish": f"fish/vendor_completions.d/{PROGRAM}.fish",
}
"""Where bash-completion, zsh and fish look for the script of a program, below `share/`."""
MANUAL_PAGE = f"man/man1/{PROGRAM}.1"


def shared_files() -> dict[str, str]:
    """Return the text of each file by its path below `share/`."""
    scripts = {path: _completion_script(shell) for shell, path in _SCRIPTS.items()}
    return {MANUAL_PAGE: manual_page(), **scripts}


def _completion_script(shell: str) -> str:
    """Return the script that `--show-completion` prints in a shell."""
    variable = f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE"
    return get_completion_script(prog_name=PROGRAM, complete_var=variable, shell=shell) + "\n"


def write_shared_files() -> None:
    """Write the files into `assets/share/`."""
    for name, text in shared_files().items():
        path = SHARE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
