"""The versions of this program and its dependencies."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def installed_version(package: str) -> str:
    """Return the version of an installed package, or "not installed" (as when run from a source folder).

    Cached: checkpoints record it, even when the disk fails later or the package was upgraded meanwhile.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def versions_of(*packages: str) -> dict[str, str]:
    """Return Python's version and those of `packages`, by name."""
    return {"python": platform.python_version(), **{package: installed_version(package) for package in packages}}
