"""Of a chat, one author's messages are learnt: who that is, and what happens where the author is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.corpus.readers.chats import authors
from engine.corpus.readers.chats.whatsapp_rows import whatsapp_rows
from engine.corpus.types import AuthorNeededError, ChatAuthor
from engine.errors import CorpusError
from tests.engine.corpus.readers.chats.reading import error_of, loaded, rows_of, write


def chat(*messages: str) -> bytes:
    return "".join(f"31/12/19, 21:41 - {message}\n" for message in messages).encode()


def test_of_chats_that_are_sources_of_their_own_those_without_the_author_are_noted(tmp_path: Path) -> None:
    write(tmp_path, {"tom.txt": chat("Tom: x", "Tom: y"), "zoe.txt": chat("Zoe: x", "Mia: one")})
    tweets, (tom, zoe) = loaded(tmp_path, "Mia")
    assert tweets == ["one"]
    assert tom.notes[-1] == f"{tmp_path.name}: tom.txt has no messages of Mia."
    assert "messages of Mia" in zoe.notes


def test_an_author_who_is_in_no_chat_of_a_folder_is_an_error_that_lists_the_authors(tmp_path: Path) -> None:
    write(tmp_path, {"tom.txt": chat("Tom: x", "Tom: y"), "zoe.txt": chat("Zoe: x")})
    with pytest.raises(CorpusError) as caught:
        loaded(tmp_path, "Mia")
    assert caught.value.message == f"{tmp_path.name}: tom.txt has no messages of Mia."
    assert caught.value.hint == "Its authors, for --author: Tom: 2."


def test_the_authors_to_choose_from_are_part_of_the_error_the_most_active_first() -> None:
    caught = error_of(whatsapp_rows, {"_chat.txt": chat("Tom: x", "Mia: y", "Mia: z")})
    assert isinstance(caught, AuthorNeededError)
    assert caught.authors == (ChatAuthor("Mia", "Mia: 2"), ChatAuthor("Tom", "Tom: 1"))


def test_a_long_chat_is_not_read_on_for_its_authors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authors, "MAX_UNDECIDED", 3)
    caught = error_of(whatsapp_rows, {"_chat.txt": chat("Tom: x", "Mia: y", "Mia: z", "Zoe: w")})
    assert caught.hint == "Set --author to your name or id: Mia: 2, Tom: 1 (in the first 3 messages)."
    files = {"_chat.txt": chat("Tom: x", "Tom: y", "Tom: z", "Mia: w")}
    assert len(rows_of(whatsapp_rows, files, "whatsapp", "Mia")[0]) == 4
