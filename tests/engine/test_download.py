"""Downloads that get there: whole under the final name, also where an attempt before was cut short."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.download import is_whole
from tests import lying_server as server
from tests.engine.downloads import CONTENT, LIMITS, MD5, OTHER, SIZE, get, leave_part
from tests.lying_server import reach_only_this_machine, running


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    reach_only_this_machine(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "file.zip"


# As it should be ------------------------------------------------------------------------------------------------------


def test_a_file_is_fetched_whole_and_the_progress_never_goes_back(path: Path) -> None:
    with running(server.serve(CONTENT)) as lying:
        told = get(lying, path)
    assert told.sizes == sorted(told.sizes)
    assert told.sizes[-1] == SIZE
    assert told.notes == []
    assert lying.requests[0]["accept-encoding"] == "identity"
    assert lying.ranges == [None]


def test_a_file_that_is_there_and_whole_is_not_asked_for(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    leave_part(path, CONTENT[:10])
    with running(server.answer(500)) as lying:
        get(lying, path)
    assert lying.requests == []


def test_a_file_of_that_name_that_is_damaged_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(OTHER)
    assert not is_whole(path, SIZE, MD5)
    with running(server.serve(CONTENT)) as lying:
        get(lying, path)


def test_a_length_that_is_not_announced_is_no_obstacle(path: Path) -> None:
    with running(server.until_closed(CONTENT)) as lying:
        get(lying, path)


def test_a_few_redirects_are_followed_with_the_range(path: Path) -> None:
    leave_part(path, CONTENT[:100])
    with running(server.redirect("/a"), server.redirect("b?c=d", 307), server.serve(CONTENT)) as lying:
        get(lying, path)
    assert [request["path"] for request in lying.requests] == ["/file.zip", "/a", "/b?c=d"]
    assert lying.ranges == ["bytes=100-"] * 3


# Going on -------------------------------------------------------------------------------------------------------------


def test_a_dropped_connection_is_gone_on_with_where_it_broke(path: Path) -> None:
    with running(server.close_after(CONTENT, 1000), server.serve(CONTENT)) as lying:
        told = get(lying, path)
    assert lying.ranges == [None, "bytes=1000-"]
    assert lying.requests[1]["if-range"] == server.TAG
    assert len(told.notes) == 1
    assert "trying again" in told.notes[0]


def test_a_reset_connection_is_gone_on_with(path: Path) -> None:
    with running(server.drop_after(CONTENT, 1000), server.drop_after(CONTENT, 1000), server.serve(CONTENT)) as lying:
        get(lying, path)
    assert len(lying.requests) == 3


def test_a_stall_is_gone_on_with(path: Path) -> None:
    with running(server.stall_after(CONTENT, 1000), server.serve(CONTENT)) as lying:
        told = get(lying, path)
    assert lying.ranges == [None, "bytes=1000-"]
    assert "stalled: nothing came for 0.3 s" in told.notes[0]


def test_a_part_from_an_earlier_program_is_gone_on_with_and_asked_for_by_its_version(path: Path) -> None:
    with running(server.serve(CONTENT)) as lying:
        leave_part(path, CONTENT[:5000], lying.url)
        told = get(lying, path)
    assert lying.ranges == ["bytes=5000-"]
    assert lying.requests[0]["if-range"] == server.TAG
    assert told.sizes[0] == 5000


def test_a_part_of_an_older_version_is_thrown_away(path: Path) -> None:
    with running(server.serve(CONTENT)) as lying:
        leave_part(path, OTHER[:5000], lying.url, '"version-0"')
        get(lying, path)
    assert lying.ranges == ["bytes=5000-"]


@pytest.mark.parametrize("origin", ["http://another.example/file.zip", ""])
def test_a_part_from_a_mirror_is_gone_on_with_without_naming_its_version(path: Path, origin: str) -> None:
    with running(server.serve(CONTENT)) as lying:
        leave_part(path, CONTENT[:5000], origin, '"version-of-the-mirror"')
        get(lying, path)
    assert lying.ranges == ["bytes=5000-"]
    assert "if-range" not in lying.requests[0]


def test_a_part_that_proves_wrong_is_thrown_away_and_all_is_fetched_once_more(path: Path) -> None:
    leave_part(path, OTHER[:5000])
    with running(server.serve(CONTENT)) as lying:
        told = get(lying, path)
    assert lying.ranges == ["bytes=5000-", None]
    assert "starting over" in told.notes[0]


def test_a_file_that_was_changed_between_two_attempts_is_fetched_once_more(path: Path) -> None:
    with running(server.drop_after(OTHER, 1000), server.serve(CONTENT)) as lying:
        told = get(lying, path)
    assert lying.ranges == [None, "bytes=1000-", None]
    assert "starting over" in told.notes[-1]


def test_the_version_of_a_part_that_was_thrown_away_is_forgotten(path: Path) -> None:
    def start_over_without_a_version(handler: server.Handler) -> None:
        handler.head(200, Content_Length=str(SIZE))
        handler.wfile.write(CONTENT[:1000])
        handler.hang_up()

    with running(start_over_without_a_version, server.serve(CONTENT)) as lying:
        leave_part(path, OTHER[:5000], lying.url)
        get(lying, path)
    assert lying.ranges == ["bytes=5000-", "bytes=1000-"]
    assert "if-range" not in lying.requests[1]


def test_attempts_that_get_some_way_may_be_many(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.download._SOME_WAY_BYTES", 1000)
    with running(*[server.drop_after(CONTENT, 1000)] * 10, server.serve(CONTENT)) as lying:
        get(lying, path)
    assert len(lying.requests) == 11 > LIMITS.attempts


def test_a_part_that_is_complete_needs_no_server(path: Path) -> None:
    leave_part(path, CONTENT)
    with running(server.answer(500)) as lying:
        get(lying, path)
    assert lying.requests == []


def test_a_part_that_is_larger_than_the_file_is_thrown_away(path: Path) -> None:
    leave_part(path, CONTENT + b"x")
    with running(server.serve(CONTENT)) as lying:
        get(lying, path)
    assert lying.ranges == [None]


def test_a_server_that_ignores_ranges_starts_over(path: Path) -> None:
    leave_part(path, OTHER[:5000])
    with running(server.ignore_range(CONTENT)) as lying:
        get(lying, path)
    assert lying.ranges == ["bytes=5000-"]


def test_a_range_that_the_server_has_not_makes_it_start_over(path: Path) -> None:
    leave_part(path, CONTENT[:5000])
    with running(server.answer(416), server.serve(CONTENT)) as lying:
        get(lying, path)
    assert lying.ranges == ["bytes=5000-", None]


@pytest.mark.parametrize(
    "span", [f"bytes 4999-{SIZE - 1}/{SIZE}", f"bytes 0-{SIZE - 1}/{SIZE}", "bytes */9", "", "x" * 500]
)
def test_a_rest_that_begins_elsewhere_makes_it_start_over(path: Path, span: str) -> None:
    leave_part(path, CONTENT[:5000])
    with running(server.answer(206, CONTENT[5000:], Content_Range=span), server.serve(CONTENT)) as lying:
        get(lying, path)
    assert lying.ranges == ["bytes=5000-", None]


@pytest.mark.parametrize(
    "note", [b"", b"{", b"\xff\xff", b"[]", b'{"url": 1}', b'{"url": "URL", "validator": "a\\r\\nX-Evil: 1"}']
)
def test_a_damaged_note_of_the_version_costs_nothing(path: Path, note: bytes) -> None:
    leave_part(path, CONTENT[:5000])
    with running(server.serve(CONTENT)) as lying:
        path.with_name("file.zip.part.json").write_bytes(note.replace(b"URL", lying.url.encode()))
        get(lying, path)
    assert lying.ranges == ["bytes=5000-"]
    assert "if-range" not in lying.requests[0]
    assert "x-evil" not in lying.requests[0]


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({"ETag": '"strong"'}, '"strong"'),
        ({"ETag": 'W/"weak"', "Last_Modified": "Sun, 01 Mar 2009 00:00:00 GMT"}, "Sun, 01 Mar 2009 00:00:00 GMT"),
        ({"ETag": 'W/"weak"'}, None),
        ({"ETag": '"' + "x" * 500 + '"'}, None),
        ({}, None),
    ],
)
def test_the_version_is_named_by_a_strong_tag_or_a_date(path: Path, headers: dict[str, str], kept: str | None) -> None:
    def act(handler: server.Handler) -> None:
        handler.head(200, Content_Length=str(SIZE), **headers)
        handler.wfile.write(CONTENT[:1000])
        handler.hang_up()

    with running(act, server.serve(CONTENT)) as lying:
        get(lying, path)
    assert lying.requests[1].get("if-range") == kept
