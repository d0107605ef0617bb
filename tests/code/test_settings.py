"""The environment: a value that cannot be used is told once, by the name of its variable."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from pipelines.errors import SettingsError
from pipelines.settings import Settings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("HOMING_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("HOMING_AS_OF", "30.06.2026", "expected a day such as 2026-06-30, or latest"),
        ("HOMING_AS_OF", "2026-02-30", "expected a day such as 2026-06-30, or latest"),
        ("HOMING_AS_OF", "", "expected a day such as 2026-06-30, or latest"),
        ("HOMING_TIMEZONE", "Shanghai", "unknown time zone 'Shanghai'"),
        ("HOMING_FIRST_DAY", "long ago", "expected a day such as"),
        ("HOMING_ALLOW", "orders_keep_coming,typo", "orders_keep_coming; typo is none of them"),
        ("HOMING_ALLOW", "consents_are_fresh", "consents_are_fresh is none of them"),
        ("HOMING_RETRAIN_AFTER_DAYS", "0", "expected 1 or more"),
        ("HOMING_KEEP_VERSIONS", "many", "expected a whole number"),
        ("HOMING_THREADS", "0", "expected 1 or more"),
        ("HOMING_MEMORY_LIMIT", "4", "expected a size with its unit, such as 4GB"),
        ("HOMING_SAMPLE_CUSTOMERS", "10", "expected 50 or more"),
        ("HOMING_SAMPLE_YEARS", "11", "expected 10 or less"),
        ("HOMING_SAMPLE_SEED", "x", "expected a whole number"),
    ],
)
def test_a_wrong_value_names_its_variable_once(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refusal:
        Settings.read()
    message = str(refusal.value)
    assert message.startswith(f"{variable}: ")
    assert message.count(variable) == 1
    assert words in message
    assert message.endswith(f"(found {value!r})")


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("HOMING_ORDERS_MAX_AGE", "did you mean HOMING_ORDERS_MAX_AGE_DAYS"),
        ("homing_file_dir", "did you mean HOMING_FILES_DIR"),
        ("HOMING_XYZ", "there is no such setting; see"),
    ],
)
def test_a_variable_that_is_no_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, words: str
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(SettingsError, match=f"^{variable}: .*{words}"):
        Settings.read()


def test_processes_of_this_program_may_read_the_settings_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    exported: dict[str, str] = {}
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", exported)
        Settings(home=tmp_path).export()
    for name, value in exported.items():
        monkeypatch.setenv(name, value)
    assert Settings.read().home == tmp_path


def test_all_wrong_values_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMING_AS_OF", "soon")
    monkeypatch.setenv("HOMING_THREADS", "none")
    with pytest.raises(SettingsError, match=r"HOMING_AS_OF: .*; HOMING_THREADS: "):
        Settings.read()


def test_files_need_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMING_SOURCE", "files")
    with pytest.raises(SettingsError, match=r"^HOMING_FILES_DIR must name the folder"):
        Settings.read()


def test_what_is_given_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "HOME": str(tmp_path),
        "SOURCE": " files ,",
        "FILES_DIR": "~/exports",
        "AS_OF": "2026-06-30",
        "ALLOW": "orders_keep_coming, lists_did_not_empty",
    }.items():
        monkeypatch.setenv(f"HOMING_{name}", value)
    settings = Settings.read()
    assert settings.source == ("files",)
    assert settings.files_dir == Path.home() / "exports"
    assert settings.as_of == date(2026, 6, 30)
    assert settings.allow == ("orders_keep_coming", "lists_did_not_empty")


def test_nothing_given_means_the_sample_company_of_its_last_day() -> None:
    settings = Settings.read()
    assert (settings.source, settings.as_of, settings.allow) == (("sample",), "latest", ())


def test_what_is_exported_holds_for_child_processes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", {})
        Settings(home=tmp_path, memory_limit="3GB").export()
        assert os.environ["HOMING_HOME"] == str(tmp_path)
        assert os.environ["HOMING_MEMORY_LIMIT"] == "3GB"
        assert os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
        assert os.environ["OMP_WAIT_POLICY"] == "passive"
        assert os.environ["DAGSTER_DISABLE_TELEMETRY"] == "yes"


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(SettingsError, match=r"HOMING_HOME: cannot write to .*set HOMING_HOME"):
        Settings(home=tmp_path / "home").prepare_home()
