"""`IdleSelector`: a selector with which a coroutine can wait until its event loop has nothing left to do."""

from __future__ import annotations

import asyncio
import selectors


class IdleSelector(selectors.DefaultSelector):
    """Selects as usual. An event loop is idle once it selects with a timeout: nothing is ready to run then."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[asyncio.Future[None]] = []

    async def idle(self) -> None:
        """Wait until all that could run without time passing has run. Called on the loop of this selector."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; in place of waiting, resume the coroutines that wait until the loop is idle."""
        if not self._waiting or (timeout is not None and timeout <= 0):
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                future.set_result(None)
        return ready
