"""Files that are written whole or not at all."""

import os

import pytest

from fer_sklearn._utils import remove_leftovers, write_atomically
from fer_sklearn.exceptions import FERError


def write(file):
    file.write(b"new")


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "a.txt"

    def half(file):
        file.write(b"half")
        raise KeyboardInterrupt

    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, half)
    assert path.read_bytes() == b"old"
    write_atomically(path, write)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX'")
def test_mode_of_a_new_and_of_an_existing_file(tmp_path):
    """A new file is as open as the umask says; a private file stays private."""
    new, private = tmp_path / "new.txt", tmp_path / "private.txt"
    private.touch(mode=0o600)

    def check(file):
        modes = [path.stat().st_mode & 0o777 for path in tmp_path.glob(".private*")]
        assert modes == [0o600]  # from its first byte

    old = os.umask(0o027)
    try:
        write_atomically(new, write)
        write_atomically(private, check)
    finally:
        os.umask(old)
    assert new.stat().st_mode & 0o777 == 0o640
    assert private.stat().st_mode & 0o777 == 0o600


def test_a_link_stays_a_link(tmp_path):
    path, link = tmp_path / "a.txt", tmp_path / "link.txt"
    path.touch()
    link.symlink_to(path)
    write_atomically(link, write)
    assert link.is_symlink()
    assert path.read_bytes() == b"new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_pipes_and_folders_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(FERError, match=r"is a folder, a device or a pipe.* Name a"):
            write_atomically(path, write)
    assert (tmp_path / "pipe").is_fifo()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no folder: '.*nowhere'"):
        write_atomically(tmp_path / "nowhere" / "a.txt", write)


def test_an_error_names_the_file_that_was_asked_for(tmp_path, monkeypatch):
    def refuse(name, mode):
        raise PermissionError(13, "Permission denied", str(name))

    monkeypatch.setattr("fer_sklearn._utils.open", refuse, raising=False)
    with pytest.raises(PermissionError, match=r"denied: '.*/a\.txt'") as caught:
        write_atomically(tmp_path / "a.txt", write)
    assert ".part" not in str(caught.value)


def test_leftovers_of_one_file_are_removed(tmp_path):
    for name in (".a[1].txt.0f.part", ".a1.txt.0f.part", "a[1].txt"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "a[1].txt")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".a1.txt.0f.part", "a[1].txt"]
