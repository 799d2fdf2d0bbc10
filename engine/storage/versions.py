"""The versions of this program and of what it is built on."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def installed_version(package: str) -> str:
    """Return the version of an installed package, or "not installed" (as when run from a folder that is not).

    Looked up once: a checkpoint is saved with it, also where nothing can be read any more, or there is a newer one.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def versions_of(*packages: str) -> dict[str, str]:
    """Return Python's version and those of `packages`, by name."""
    return {"python": platform.python_version(), **{package: installed_version(package) for package in packages}}
