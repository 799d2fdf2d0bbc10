"""Which entries of a folder a typed path names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tui.dialogs.folder import after_last_root, best_match, list_folder, matching, split_typed

NAMES_OF_TWEETS = (
    *("a.CSV", "a.tab", "a.pq", "a.text", "a.ndjson", "a.car", "tweets.js"),
    *("a.tbz2", "a.txz", "a.tar.gz", "a.xz", "B.zip"),
)


def test_a_listing_has_readable_tweet_files_first_and_is_filtered(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """A part of a name is enough, prefixes come first; the highlight is exact, else the default, else the first."""
    for name in (*NAMES_OF_TWEETS, "photo.png", ".hidden.csv"):
        (tmp_path / name).write_bytes(b"1234")
    for name in ("old", ".git"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "gone.csv").symlink_to("nowhere")
    entries, lines = list_folder(tmp_path), []
    for typed, default in (("", None), ("", "photo.png"), ("Z", None), ("o", "photo.png"), ("old", None), (".", None)):
        lines.append(f"» {typed!r}, by default {default}")
        shown = matching(entries, typed)
        highlighted = best_match(shown, typed, tmp_path / default if default else None)
        for number, entry in enumerate(shown):
            name = entry.path.name if entry.is_inside else ""
            lines.append(f"{'>' if number == highlighted else ' '} {entry.kind:6} {name}".rstrip())
    assert "\n".join(lines) == snapshot
    assert matching(entries, "nothing") == []
    assert entries[best_match(entries, "photo.png", None) or 0].path == tmp_path / "photo.png", "the exact one"
    assert best_match(entries[:2], "", None) == 0
    assert best_match([], "x", tmp_path) is None


def test_a_typed_path_is_split_into_folder_and_typed_name_and_a_root_typed_after_it_starts_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    split = {
        "/a/b/": ("/a/b", ""),
        "/a": ("/", "a"),
        "/": ("/", ""),
        "~/a": ("/home/me", "a"),
        "/a/../b/c": ("/b", "c"),
    }
    assert {text: (str(folder), name) for text in split for folder, name in [split_typed(text)]} == split
    restarted = {"/a//b//c": "/c", "~/a/~/b": "~/b", "//": "/", "/a/b~/c": "/a/b~/c", "": ""}
    assert {text: after_last_root(text) for text in restarted} == restarted
