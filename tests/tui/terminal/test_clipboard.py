"""What is copied through the terminal: the text in base64, wrapped for multiplexers, without what a terminal obeys."""

from __future__ import annotations

import base64

from tests import hostile
from tui.terminal import clipboard


def test_osc_52_is_base64_and_wrapped_for_multiplexers() -> None:
    assert clipboard.osc52("héllo 雪") == f"\x1b]52;c;{base64.b64encode('héllo 雪'.encode()).decode()}\x07"
    sequence = clipboard.osc52("x" * 500)
    assert clipboard.wrapped_for(sequence, "tmux") == f"\x1bPtmux;\x1b{sequence}\x1b\\"
    pieces = clipboard.wrapped_for(sequence, "screen").split("\x1b\\")[:-1]
    assert all(piece.startswith("\x1bP") and len(piece) < 256 for piece in pieces)  # longer ones are dropped
    assert "".join(piece.removeprefix("\x1bP") for piece in pieces) == sequence
    assert clipboard.wrapped_for(sequence, "no") == ""


def test_copied_text_is_harmless() -> None:
    class App:
        _driver = None

        def copy_to_clipboard(self, text: str) -> None:
            encoded = clipboard.osc52(text).removeprefix("\x1b]52;c;").removesuffix("\x07")
            assert hostile.obeyed(base64.b64decode(encoded, validate=True).decode()) == []

    for text in [*hostile.TEXTS.values(), hostile.ALL_AT_ONCE]:
        clipboard.copy(App(), text, {"TMUX": "/tmp/x"})  # type: ignore[arg-type] # what it needs of an app
