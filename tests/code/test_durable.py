"""Atomic replacement: the old content or the new, never a piece; and flushed in the right order."""

import os
from pathlib import Path

import pytest

from pipelines import durable


def test_content_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    durable.write_atomically(path, b"old")
    durable.write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.json"]


def test_a_failed_rename_leaves_the_old_content_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "manifest.json"
    durable.write_atomically(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        durable.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.json"]


def test_content_is_flushed_before_the_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        calls.append("directory" if Path(f"/dev/fd/{descriptor}").is_dir() else "file")
        real_fsync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        calls.append("rename")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    durable.write_atomically(tmp_path / "a", b"1")
    assert calls == ["file", "rename", "directory"]


def test_link_moves_in_one_step_and_stays_relative(tmp_path: Path) -> None:
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
    link = tmp_path / "current"
    durable.replace_link(link, "one")
    (tmp_path / ".current.tmp").symlink_to("nowhere")  # what a killed run left behind
    durable.replace_link(link, "two")
    assert link.readlink() == Path("two")
    assert link.resolve() == tmp_path / "two"
    assert not (tmp_path / ".current.tmp").is_symlink()
