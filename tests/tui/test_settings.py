"""`config.toml`: invalid entries become defaults, foreign content is never lost."""

from __future__ import annotations

import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.errors import ConfigError, StorageError
from tui.settings.preferences import Preferences, PreferencesStore, preferences_path, read_preferences, save_changes

FULL = Path(__file__).with_name("full_config.toml").read_text(encoding="utf-8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def read(path: Path, text: str) -> tuple[Preferences, tuple[str, ...]]:
    path.write_text(text, encoding="utf-8")
    return read_preferences(path)


def test_every_entry_of_a_full_file_is_used(path: Path) -> None:
    tables = tomllib.loads(FULL)
    fields = {"theme": tables["theme"], **tables["screen"], **tables["notices"], **tables["intervals"]}
    keys = {"pause": "z", "temperature_up": "greater_than_sign,f5"}
    preferences, problems = read(path, FULL)
    assert (preferences, problems) == (Preferences(**fields, keys=keys), ())
    assert preferences.intervals == tables["intervals"]
    defaults = Preferences()
    assert [name for name in vars(defaults) if getattr(preferences, name) == getattr(defaults, name)] == []


INVALID = Path(__file__).with_name("invalid_configs.txt").read_text(encoding="utf-8").strip().split("\n\n")


def test_an_invalid_entry_is_reported_with_file_key_and_valid_values(path: Path, snapshot: SnapshotAssertion) -> None:
    lines = []
    for text in (*INVALID, "[intervals]\neval_every = 0x" + 4000 * "f"):
        preferences, (problem,) = read(path, text)
        assert preferences == Preferences()
        assert problem.isprintable()
        lines += [f"# {text[:60]!r}", problem]
    assert "\n".join(lines) == snapshot


@pytest.mark.parametrize("content", [b"theme = ", b"\xff\xfe\x00", b"a" * 100, b"bell = true\r", None])
def test_a_file_that_is_not_toml_or_a_folder_is_reported_and_not_replaced(path: Path, content: bytes | None) -> None:
    path.mkdir() if content is None else path.write_bytes(content)
    preferences, (problem,) = read_preferences(path)
    assert preferences == Preferences()
    assert problem.startswith("config.toml can't be read: " if content is None else "config.toml is not valid TOML: ")
    with pytest.raises(ConfigError) as raised:
        save_changes(path, {"bell": True})
    assert "correct the file" in raised.value.hint
    assert content is None or path.read_bytes() == content


def test_the_config_file_is_in_tweetgen_home_or_else_in_the_config_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEETGEN_HOME", "/tmp/elsewhere")
    assert preferences_path() == Path("/tmp/elsewhere/config.toml")
    monkeypatch.delenv("TWEETGEN_HOME")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/tmp/configs")
    assert preferences_path().parts[-2:] == ("tweetgen-tui", "config.toml")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_saving_changes_one_entry_and_no_other_character(path: Path, line_end: str) -> None:
    own = (FULL + '\n[mine]\nnotes = "stay"\n').replace("\n", line_end).encode()
    path.write_bytes(own)
    save_changes(path, {"bell": True})
    assert path.read_bytes() == own.replace(b"bell = false", b"bell = true")


def test_saved_changes_are_read_and_a_restored_default_is_removed_from_the_file(path: Path) -> None:
    path.write_text("[screen]\nmouse = false")  # without a last line break
    save_changes(path, {"theme": "tweetgen", "eval_every": 7})
    assert read_preferences(path) == (Preferences(theme="tweetgen", mouse=False, eval_every=7), ())
    save_changes(path, {"theme": None, "bell": None, "eval_every": None})
    assert tomllib.loads(path.read_text()) == {"screen": {"mouse": False}, "intervals": {}, "notices": {}}


def test_a_value_in_place_of_a_table_is_not_overwritten(path: Path) -> None:
    for text in ("screen = 3\n", "[[screen]]\nx = 1\n"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="screen is not a table"):
            save_changes(path, {"mouse": False})
        assert path.read_text() == text


@pytest.mark.parametrize("is_there", [True, False])
def test_a_symlink_is_kept_even_if_its_target_does_not_exist(path: Path, tmp_path: Path, is_there: bool) -> None:
    target = tmp_path / "dotfiles.toml"
    if is_there:
        target.write_text("# kept elsewhere\n")
    path.symlink_to(target)
    save_changes(path, {"bell": False})
    assert path.is_symlink()
    assert tomllib.loads(target.read_text()) == {"notices": {"bell": False}}
    assert target.read_text().startswith("# kept elsewhere\n") is is_there


@pytest.mark.parametrize("folder", ["x" * 300, "file"], ids=["too long a name", "no folder"])
def test_an_unusable_folder_is_a_config_or_storage_error(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((ConfigError, StorageError)):
        save_changes(tmp_path / folder / "config.toml", {"bell": False})


def test_a_store_that_does_not_save_reads_the_file_and_applies_changes_but_writes_none(path: Path) -> None:
    path.write_text('theme = "dracula"\n', encoding="utf-8")
    store = PreferencesStore(path, saves=False)
    assert store.preferences.theme == "dracula"
    store.change({"theme": "tweetgen"})
    store.save()
    assert store.preferences.theme == "tweetgen"
    assert path.read_text(encoding="utf-8") == 'theme = "dracula"\n'


def test_changes_are_written_in_their_order_and_one_that_could_not_be_written_with_the_next(path: Path) -> None:
    store = PreferencesStore(path)
    for theme in ("tweetgen", "dracula", "tweetgen-light"):
        store.change({"theme": theme})
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: store.save(), range(3)))
    assert read_preferences(path)[0].theme == "tweetgen-light"
    path.write_text("theme = ")
    store.change({"bell": False})
    with pytest.raises(ConfigError):
        store.save()
    path.write_text("")
    store.change({"eval_every": 7})
    store.save()
    assert read_preferences(path)[0] == Preferences(bell=False, eval_every=7)
