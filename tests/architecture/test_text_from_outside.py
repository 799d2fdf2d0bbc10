"""Text from outside is cleaned at one door: who decodes JSON is on a short list, each with its reason.

A new reader of journals, sockets or checkpoints goes through `engine.protocol.events.from_json`, or is listed here on
purpose.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECODERS = {
    *("json.load", "json.loads", "json.JSONDecoder"),
    *("msgspec.json.decode", "msgspec.json.Decoder"),
    *("engine.protocol.codec.decode", "engine.protocol.codec.decode_tagged"),
}
WHO_DECODES_AND_WHY = {
    "engine/protocol/codec.py": "the one place that knows msgspec; its callers are those below",
    "engine/protocol/events/__init__.py": "the door: every string of an event is made harmless",
    "engine/protocol/commands.py": "a command is shown nowhere: the run checks its names, its prime and its numbers",
    "engine/storage/journal_reader.py": "of a line that is no event, its kind and version are counted and not shown",
    "engine/checkpoints/header.py": "the metadata, in which the info is still a text",
    "engine/checkpoints/metadata.py": "a checkpoint's info: made harmless where shown; its paths are opened",
    "engine/corpus/cache.py": "a corpus of cleaned tweets, under a checksum",
    "engine/corpus/readers/json_files/json_values.py": "tweets, which are cleaned like those of every other format",
    "tui/remote/protocol.py": "the door of the socket: every string of a message is made harmless",
    "tui/remote/view_codec.py": "a view whose strings came in by a message, and the JSON form of its own event",
}


def decoders_in(code: str) -> set[str]:
    """Return which decoders of JSON a module uses, under whatever name it imports them."""
    tree = ast.parse(code)
    imported = dict(_imports(tree))
    dotted = (_dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute))
    roots_and_rests = (name.partition(".")[::2] for name in dotted)
    return {f"{imported.get(root, root)}.{rest}".rstrip(".") for root, rest in roots_and_rests} & DECODERS


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that a module gives to what it imports, and what that is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname, alias.name) for alias in node.names if alias.asname)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _dotted(node: ast.expr) -> str:
    """Return "a.b.c" of such an expression; of any other, nothing."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize(
    "code",
    [
        "import json\njson.loads(line)",
        "import json as j\nj.JSONDecoder()",
        "from json import loads as read\nread(line)",
        "import msgspec\nmsgspec.json.decode(line)",
        "from msgspec import json\njson.decode(line)",
        "from engine.protocol import codec\ncodec.decode(line, dict)",
        "from engine.protocol.codec import decode\nmap(decode, lines)",
    ],
)
def test_a_decoder_is_found_under_every_name(code: str) -> None:
    assert len(decoders_in(code)) == 1


def test_json_is_decoded_where_that_is_known_to_be_safe_and_nowhere_else() -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in ("engine", "tui")
        for path in (ROOT / package).rglob("*.py")
        if decoders_in(path.read_text(encoding="utf-8"))
    }
    assert found == WHO_DECODES_AND_WHY.keys()
