"""`LineInput`: the input line of every dialog. Keys take effect in the order in which they were typed."""

from __future__ import annotations

from textual.events import Key
from textual.widgets import Input


class LineInput(Input):
    """An `Input` in which an editing key acts before the characters typed after it."""

    async def on_key(self, event: Key) -> None:
        """Run the key's binding immediately, here or in a parent.

        Textual (8.2) inserts characters at once but sends other keys up to the app and back: `a`, backspace, `b` typed
        quickly would leave nothing.
        """
        bound = None if event.is_printable else self.screen.active_bindings.get(event.key)
        if bound is not None and await self.app.run_action(bound.binding.action, bound.node):
            event.stop()
            event.prevent_default()
