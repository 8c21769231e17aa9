import json
import re

import pandas as pd
import pytest

from fer_sklearn.cli.run_folder import RunFolder
from fer_sklearn.exceptions import FERError

CONFIG = {"data": None, "options": {}}


def test_default_folder_is_named_by_date_and_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = (RunFolder.create(None, CONFIG) for _ in range(2))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", first.path.name)
    assert first.path.parent.name == "runs"
    assert first.path != second.path


def test_settings_come_back(tmp_path):
    RunFolder.create(tmp_path / "a" / "run", CONFIG)
    assert RunFolder.open(tmp_path / "a" / "run").config == CONFIG


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(FERError, match=r"not empty\. Choose another --out"):
        RunFolder.create(tmp_path, CONFIG)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_open_refuses_what_is_no_run(tmp_path):
    with pytest.raises(FERError, match=r"is not a run folder: it has no config\.json"):
        RunFolder.open(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '"data"', '{"options": {}}'])
def test_open_refuses_a_broken_configuration(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(FERError, match="is not the configuration of a run"):
        RunFolder.open(tmp_path)


def test_files_are_written_whole_or_not_at_all(tmp_path):
    run = RunFolder.create(tmp_path / "run", CONFIG)
    run.write_json("metrics.json", {"accuracy": 0.5})
    with pytest.raises(ValueError, match="JSON"):
        run.write_json("metrics.json", {"accuracy": float("nan")})
    assert json.loads((run.path / "metrics.json").read_text()) == {"accuracy": 0.5}
    run.write_table("history.csv", pd.DataFrame({"epoch": [1]}))
    assert (run.path / "history.csv").read_text() == "epoch\n1\n"


def test_discard_removes_only_an_empty_run(tmp_path):
    run = RunFolder.create(tmp_path / "run", CONFIG)
    (run.path / "checkpoint").touch()
    run.discard()
    assert run.path.exists()
    (run.path / "checkpoint").unlink()
    run.discard()
    assert not run.path.exists()
