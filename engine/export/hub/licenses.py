"""The identifiers of licenses that the Hugging Face hub accepts (huggingface.co/docs/hub/repositories-licenses)."""

from __future__ import annotations

import difflib
from typing import Final

from engine.errors import ConfigError

OTHER: Final = "other"
"""A license that is not in the list: its text belongs into a file LICENSE, its name into the card."""
_IDENTIFIERS = """
afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5
cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0
eupl-1.1 eupl-1.2 fair-noncommercial-research-license gemma gfdl gpl gpl-2.0 gpl-3.0 grok2-community h-research
intel-research isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 lppl-1.3c mit
mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openmdw-1.0 openrail openrail++ osl-3.0 other pddl postgresql unknown
unlicense wtfpl zlib
"""
LICENSES: Final = frozenset(_IDENTIFIERS.split())


def checked_license(name: str) -> str:
    """Return the hub's identifier of a license, in lower case. Raises `ConfigError` if there is none."""
    identifier = name.strip().lower()
    if identifier in LICENSES:
        return identifier
    words = [word for word in identifier.split() if word not in {"the", "license", "licence"}]
    near = difflib.get_close_matches("-".join(words), sorted(LICENSES), n=3)
    raise ConfigError(
        f"The hub has no license called “{name}”.",
        f"Did you mean {', '.join(near)}?"
        if near
        else "Use its identifier, such as mit, apache-2.0, cc-by-4.0, cc0-1.0, other or unknown; "
        "huggingface.co/docs/hub/repositories-licenses lists all.",
    )
