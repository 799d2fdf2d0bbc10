"""`JsonStream`: decodes JSON value by value from a file of any size.

The standard library's decoder works on a window of the file.
`ijson` 3.6 is no alternative: its fast backend kills the process at a number of more than 4,300 digits, needs 1 GB for
20,000 brackets, and stops at the first invalid byte.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from engine.corpus.readers.json_files.json_maps import is_id
from engine.corpus.readers.json_files.json_window import JsonWindow

_MAX_KEY_DEPTH = 8


class JsonStream(JsonWindow):
    """A sequential JSON reader."""

    def values(self) -> Iterator[object]:
        """Yield the values that follow one another, up to the end of the file."""
        while self.peek():
            yield self.value()

    def items(self) -> Iterator[object]:
        """Yield the items of the next array. Raises `CorpusError` if it is invalid or truncated."""
        self._expect("[")
        if self.peek() == "]":
            self._expect("]")
            return
        while True:
            yield self.value()
            if self._expect(",]") == "]":
                return

    def arrays(
        self, maps: Collection[tuple[str, ...]] = (), path: tuple[str, ...] = ()
    ) -> Iterator[tuple[tuple[str, ...], Iterator[object]]]:
        """Yield each array inside the objects of the next value, as (path, items).

        An object whose first key is a number, or whose path is in `maps`, counts as the array of its values. Arrays
        inside an array are part of its items. Items that the caller does not consume are skipped.
        """
        opening = self.peek()
        if opening == "[":
            items = self.items()
            yield path, items
            for _ in items:
                pass
        elif opening == "{" and len(path) < _MAX_KEY_DEPTH:
            keys = self.object_keys()
            for number, key in enumerate(keys):
                if number == 0 and (is_id(key) or path in maps):
                    items = self._members(keys)
                    yield path, items
                    for _ in items:
                        pass
                else:
                    yield from self.arrays(maps, (*path, key))
        else:
            self.value()

    def _members(self, keys: Iterator[str]) -> Iterator[object]:
        """Yield the value of the key that was read last, and those of the following keys."""
        yield self.value()
        for _ in keys:
            yield self.value()

    def object_keys(self) -> Iterator[str]:
        """Yield the keys of the next object; the caller consumes each value."""
        self._expect("{")
        if self.peek() == "}":
            self._expect("}")
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise self._broken("a key must be a string", self._position)
            self._expect(":")
            yield key
            if self._expect(",}") == "}":
                return

    def expect_end(self) -> None:
        """Raise `CorpusError` unless only white space follows."""
        if self.peek():
            raise self._broken("there is data after its end", self._position)

    def _expect(self, wanted: str) -> str:
        """Consume and return the next character. Raises `CorpusError` unless it is in `wanted`."""
        char = self.peek()
        if not char or char not in wanted:
            found = f"found {char}" if char else "the file ends"
            raise self._broken(f"expected {' or '.join(wanted)}, but {found}", self._position)
        self._position += 1
        return char
