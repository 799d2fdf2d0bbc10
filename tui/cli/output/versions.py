"""The versions of this program, of Python and of the libraries, and the system: for scripts and bug reports."""

from __future__ import annotations

import platform

from engine.storage.log import versions_of

PACKAGES = (
    *("tweetgen-tui", "torch", "textual", "rich", "typer", "numpy", "safetensors", "msgspec", "httpx", "numba"),
    *("libipld", "nvidia-ml-py", "onnx", "pyarrow", "textual-serve", "tensorboard"),
)
"""The packages whose versions matter in a bug report; the second row are those of the extras."""


def installed_versions() -> dict[str, str]:
    """Return the versions of Python and `PACKAGES`, by name. Imports none of them."""
    return versions_of(*PACKAGES)


def system() -> str:
    """Return operating system, its release and the processor's architecture, as in "Linux 6.12.0 (x86_64)"."""
    return f"{platform.system()} {platform.release()} ({platform.machine()})"
