"""One author's messages are selected, by id or name as it is seen, and everyone else's only counted."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.loading import load_corpus
from engine.corpus.readers.chats import authors as module
from engine.corpus.readers.chats.authors import Authors, comparable
from engine.corpus.types import Source
from engine.errors import CorpusError


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
    assert max(map(len, chat._counts)) < 1000


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
