"""The palette's commands: every key's action by name, from the key table."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.keys import MAIN_KEYS, Key


class KeyCommands(Provider):
    """Offer the actions of the main screen."""

    async def discover(self) -> Hits:
        """Offer all of them before anything is typed."""
        for key in self._offered():
            yield DiscoveryHit(f"{key.title} ({key.shown})", self._run(key), help=key.sentence)

    async def search(self, query: str) -> Hits:
        """Offer those whose name fits what was typed."""
        matcher = self.matcher(query)
        for key in self._offered():
            if (score := matcher.match(key.title)) > 0:
                yield Hit(score, matcher.highlight(key.title), self._run(key), help=key.sentence)

    def _offered(self) -> list[Key]:
        return [key for key in MAIN_KEYS if key.action != "app.command_palette"]

    def _run(self, key: Key) -> Callable[[], Coroutine[Any, Any, None]]:
        return partial(self.screen.run_action, key.action)
