"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import torch

from engine.runtime import available_cores
from engine.versions import versions_of

MachineFacts = dict[str, str | int | float | None]


def machine_facts(device: torch.device) -> MachineFacts:
    """Return processor, cores, device, versions, and how busy the machine is with other things as well."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "processor": processor_name(),
        "cores": available_cores(),
        "load_average": load,
        "device": device.type,
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        **versions_of("tweetgen-tui", "torch", "numba"),
    }


def processor_name() -> str:
    """Return what the processor calls itself, as far as the system tells."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        told = ""
    found = re.search(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()
