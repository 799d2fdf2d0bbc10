"""Addresses that can be fetched from, and the data sets that are known by name.

The fuzz test tries 60 addresses.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets import DATASETS, find_dataset
from engine.download import fetch
from engine.errors import ConfigError, DownloadError
from engine.transfer import checked_url, shown
from tests import lying_server as server
from tests.engine.downloads import CONTENT, LIMITS, Told, wanted
from tests.lying_server import reach_only_this_machine, running
from tests.strategies import hostile_text


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    reach_only_this_machine(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "file.zip"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "x",
        "/tmp/x.zip",
        "ftp://a/b",
        "file:///a",
        "http://",
        "https:///x",
        "http://a:x/",
        "http://[",
        "\udcff",
        "http://a:0/",
        "http://a:65536/",
    ],
)
def test_what_is_no_address_of_the_web_is_refused(path: Path, address: str) -> None:
    with pytest.raises(ConfigError, match="no address of the web"):
        fetch(wanted(address, path), Told(), LIMITS)
    assert not path.parent.exists()


@given(text=st.one_of(hostile_text(), hostile_text().map("http://{}".format), st.text().map("https://a/{}".format)))
def test_any_text_is_an_address_of_the_web_or_refused(text: str) -> None:
    try:
        url = checked_url(text)
    except ConfigError:
        return
    assert url.scheme in ("http", "https")
    assert shown(url).isascii()


def test_a_password_in_an_address_is_never_shown_or_kept(path: Path) -> None:
    with running(server.drop_after(CONTENT, 1000), server.answer(404)) as lying:
        secret = lying.url.replace("//", "//me:secret@")
        with pytest.raises(DownloadError) as caught:
            fetch(wanted(secret, path), Told(), LIMITS)
    assert "authorization" in lying.requests[0]
    assert lying.url in caught.value.message
    assert "secret" not in caught.value.message
    assert "secret" not in path.with_name("file.zip.part.json").read_text()


def test_every_known_data_set_can_be_fetched_and_says_whose_it_is(home: Path) -> None:
    for name, dataset in DATASETS.items():
        assert find_dataset(name) is dataset
        assert dataset.path == home / "data" / dataset.file_name
        assert shown(checked_url(dataset.url)) == dataset.url
        assert len(dataset.md5) == 32
        assert all(len(line) <= 80 for line in dataset.notice)
        assert any("http" in line for line in dataset.notice)


def test_an_unknown_data_set_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="no data set called sentiment141") as caught:
        find_dataset("sentiment141")
    assert "sentiment140" in caught.value.hint
