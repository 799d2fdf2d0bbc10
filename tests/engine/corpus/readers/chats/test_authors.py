"""One author's messages are selected, by id or name as it is seen, and everyone else's only counted."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.loading import load_corpus
from engine.corpus.readers.chats import authors as module
from engine.corpus.readers.chats.authors import Authors, comparable
from engine.corpus.readers.chats.whatsapp_rows import whatsapp_rows
from engine.corpus.types import AuthorNeededError, ChatAuthor, Source
from engine.errors import CorpusError
from tests.engine.corpus.readers.chats.reading import error_of, loaded, rows_of, write


def authors_for(author: str | None = None) -> Authors:
    return Authors(Source("chat", "telegram"), CorpusConfig(author=author))


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        ("Mia", " mIA "),
        ("~\u202fMia", "mia"),
        ("@mia", "mia"),
        ("\u202aMia\u00a0 L.\u202c", "mia l."),
        ("Miá", "Mia\u0301"),
        ("Straße", "STRASSE"),
    ],
)
def test_names_are_equal_if_they_look_equal_apart_from_case(shown: str, wanted: str) -> None:
    assert comparable(shown) == comparable(wanted) != comparable("Tom")


def test_an_empty_author_is_no_author() -> None:
    chat = authors_for(" @ ")
    assert not chat.is_own("user1", "")
    with pytest.raises(CorpusError, match="--author is not set"):
        chat.conclude()


def test_the_named_author_counts_before_the_owner_of_the_export() -> None:
    chat = authors_for("Tom")
    assert not chat.is_own("user1", "Mia", owner_id="user1")
    assert chat.is_own("user2", "Tom", owner_id="user1")
    chat.conclude()


def test_of_more_authors_than_are_counted_the_wanted_one_is_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_COUNTED", 100)
    chat = authors_for("Person 149")
    assert [number for number in range(150) if chat.is_own("", f"Person {number}")] == [149]
    assert len(chat._counts) == 101
    assert len(chat._is_wanted) == 100
    chat.conclude()


def test_spellings_of_a_name_are_one_person_in_exports_without_ids() -> None:
    chat = authors_for("mia")
    assert chat.is_own("", "Mia")
    assert chat.is_own("", "~ Mia")
    chat.conclude()


def test_of_endless_names_only_the_beginnings_are_stored() -> None:
    chat = authors_for("Mia")
    assert not chat.is_own("", "x" * 100_000)
    assert max(map(len, [*chat._counts, *chat._names.values()])) < 1000
    assert not chat._is_wanted


def test_another_author_is_another_corpus(tmp_path: Path) -> None:
    texts = [" ".join(words) for words in permutations(("amber", "basil", "cedar", "dahlia", "ember"), 3)]
    lines = [f"31/12/19, 21:41 - {'Tom' if number % 3 else 'Mia'}: {text}\n" for number, text in enumerate(texts)]
    path = tmp_path / "WhatsApp Chat with Tom.txt"
    path.write_text("".join(lines), encoding="utf-8")
    learnt = {}
    for author in ("Mia", "Tom", "mia"):  # the first is stored in the cache
        corpus = load_corpus(CorpusConfig(files=(str(path),), author=author, keep_duplicates=True))
        learnt[author] = sorted([*corpus.train, *corpus.validation])
    assert learnt["Mia"] == learnt["mia"] == sorted(texts[::3])
    assert learnt["Tom"] == sorted(text for number, text in enumerate(texts) if number % 3)


def whatsapp(*messages: str) -> bytes:
    return "".join(f"31/12/19, 21:41 - {message}\n" for message in messages).encode()


def test_of_chats_that_are_sources_of_their_own_those_without_the_author_are_noted(tmp_path: Path) -> None:
    write(tmp_path, {"tom.txt": whatsapp("Tom: x", "Tom: y"), "zoe.txt": whatsapp("Zoe: x", "Mia: one")})
    tweets, (tom, zoe) = loaded(tmp_path, "Mia")
    assert tweets == ["one"]
    assert tom.notes[-1] == f"{tmp_path.name}: tom.txt has no messages of Mia."
    assert "messages of Mia" in zoe.notes


def test_an_author_who_is_in_no_chat_of_a_folder_is_an_error_that_lists_the_authors(tmp_path: Path) -> None:
    write(tmp_path, {"tom.txt": whatsapp("Tom: x", "Tom: y"), "zoe.txt": whatsapp("Zoe: x")})
    with pytest.raises(CorpusError) as caught:
        loaded(tmp_path, "Mia")
    assert caught.value.message == f"{tmp_path.name}: tom.txt has no messages of Mia."
    assert caught.value.hint == "Its authors, for --author: Tom: 2."


def test_the_authors_to_choose_from_are_part_of_the_error_the_most_active_first() -> None:
    caught = error_of(whatsapp_rows, {"_chat.txt": whatsapp("Tom: x", "Mia: y", "Mia: z")})
    assert isinstance(caught, AuthorNeededError)
    assert caught.authors == (ChatAuthor("Mia", "Mia: 2"), ChatAuthor("Tom", "Tom: 1"))


def test_a_long_chat_is_not_read_on_for_its_authors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNDECIDED", 3)
    caught = error_of(whatsapp_rows, {"_chat.txt": whatsapp("Tom: x", "Mia: y", "Mia: z", "Zoe: w")})
    assert caught.hint.startswith("Set --author to your name or id: Mia: 2, Tom: 1 (in the first 3 messages).")
    files = {"_chat.txt": whatsapp("Tom: x", "Tom: y", "Tom: z", "Mia: w")}
    assert len(rows_of(whatsapp_rows, files, "whatsapp", "Mia")[0]) == 4
