"""Untrusted JSON is cleaned in one place: each module that decodes JSON is listed here with the reason why it may.

A new reader of journals, sockets or checkpoints goes through `engine.protocol.events.from_json`, or is listed here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DECODERS = {
    *("json.load", "json.loads", "json.JSONDecoder"),
    *("msgspec.json.decode", "msgspec.json.Decoder"),
    *("engine.protocol.codec.decode", "engine.protocol.codec.decode_tagged"),
}
ALLOWED_DECODERS = {
    "engine/protocol/codec.py": "the only user of msgspec for events; its callers are below",
    "engine/protocol/events/__init__.py": "makes every string of an event harmless",
    "engine/protocol/commands/__init__.py": "never displayed; the run checks names, prime and numbers of a command",
    "engine/checkpoints/header.py": "the metadata, in which the info is still a text",
    "engine/checkpoints/metadata.py": "a checkpoint's info: made harmless where shown; its paths are opened",
    "engine/export/hub/read.py": "a model folder's settings and vocabulary: as a checkpoint's info",
    "engine/parallel/handshake.py": "the names and versions of the other ranks, which errors make harmless",
    "engine/parallel/leases.py": "the leader's leases: numbers, settings and paths to open",
    "engine/parallel/ranks.py": "the other ranks' replies; events and errors make their texts harmless",
    "engine/corpus/cache.py": "a corpus of cleaned tweets, under a checksum",
    "engine/baselines/cache.py": "numbers under a checksum; their names must be those expected",
    "engine/corpus/readers/json_files/json_values.py": "tweets, which are cleaned like those of every other format",
    "tui/cli/output/run_list.py": "number and backend of a run's processes; tables and `--json` make all text harmless",
    "tui/lesson/progress.py": "numbers only",
    "tui/process/torchrun.py": "the program's own order, as it would be given by options",
    "tui/remote/agent.py": "two numbers in a run's folder",
    "tui/remote/protocol.py": "makes every string of a message harmless",
    "tui/remote/view_codec.py": "a view whose strings came in by a message, and the JSON form of its own event",
}


def decoders_in(code: str) -> set[str]:
    """Return the JSON decoders that a module uses, under any imported name."""
    tree = ast.parse(code)
    imported = dict(_imports(tree))
    dotted = (_dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute))
    roots_and_rests = (name.partition(".")[::2] for name in dotted)
    return {f"{imported.get(root, root)}.{rest}".rstrip(".") for root, rest in roots_and_rests} & DECODERS


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the local name and the full name of each import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname, alias.name) for alias in node.names if alias.asname)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _dotted(node: ast.expr) -> str:
    """Return "a.b.c" for such an expression, "" for any other."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_json_is_decoded_only_by_the_listed_modules() -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in ("engine", "tui")
        for path in (ROOT / package).rglob("*.py")
        if decoders_in(path.read_text(encoding="utf-8"))
    }
    assert found == ALLOWED_DECODERS.keys()
