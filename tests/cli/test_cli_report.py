"""``fer-sklearn evaluate --report``: one file with everything in it."""

import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from fer_sklearn import load_model
from fer_sklearn.cli import main
from fer_sklearn.cli.report import write_report

pytest.importorskip("matplotlib", reason="needs the extra plots")
pytest.importorskip("jinja2", reason="needs the extra plots")


@pytest.fixture(scope="module")
def report(run, faces_csv, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    args = ["evaluate", str(run), str(faces_csv), "--report", str(path)]
    assert main([*args, "--unseen-by", str(faces_csv)]) == 0
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wrong(run, faces):
    """Rows of the 70 scored faces whose prediction is wrong, and all predictions."""
    predicted = load_model(run / "model.fer").predict(faces.data[140:])
    return np.flatnonzero(predicted != faces.target[140:]), predicted


def test_it_needs_no_network(report):
    loaded = re.findall(r'(?:src|href)="([^"]+)"', report)
    assert loaded
    assert all(name.startswith(("data:image/", "#")) for name in loaded)
    assert "<script" not in report
    assert "@import" not in report


def test_scores_of_all_and_of_unseen_faces(report, run, faces_csv, capsys):
    assert main(["evaluate", str(run), str(faces_csv)]) == 0
    accuracy = re.search(r"accuracy +([\d.]+)", capsys.readouterr().out)[1]
    assert f"<td>{accuracy}</td>" in report
    assert report.count('<th scope="row">not in ') == 1


def test_the_numbers_of_the_matrix_lead_to_faces(report, wrong, faces):
    rows, predicted = wrong
    links = re.findall(r'<a href="#(m-\d+-\d+)">(\d+)</a>', report)
    assert sum(int(count) for _, count in links) == len(rows)
    for name, count in links:
        label, column = map(int, name.split("-")[1:])
        expected = (faces.target[140:] == label) & (predicted == column)
        assert int(count) == expected.sum()
        assert report.count(f'id="{name}"') == 1


def test_every_picture_has_a_text(report):
    faces = re.findall(r'<img src="data:image/png[^>]*>', report)
    assert faces
    assert all(re.search(r'alt="Row \d+: \w+, predicted \w+"', p) for p in faces)
    plots = re.findall(r'<img src="data:image/svg[^>]* alt="([^"]+)">', report)
    assert len(plots) == 3


def test_tags_are_closed(report):
    open_tags = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in {"meta", "img"}:
                open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    Checker().feed(report)
    assert open_tags == []


def test_identifiers_are_unique(report):
    found = re.findall(r'\bid="([^"]+)"', report)
    assert len(found) == len(set(found))


def test_names_are_escaped(tmp_path, run, images):
    names = ["<b>angry</b>", "sad"]
    y_true = np.array(["sad", "<b>angry</b>", "sad"])
    y_prob = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    from fer_sklearn.cli.evaluate import score

    write_report(
        tmp_path / "report.html",
        model=str(run),
        data="<i>faces</i>.csv",
        images=images[:3],
        y_true=y_true,
        y_prob=y_prob,
        names=names,
        parts=[("all", score(y_true, y_prob, names))],
    )
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<b>" not in text
    assert "<i>" not in text
    assert "&lt;b&gt;angry&lt;/b&gt;" in text


def test_no_mistakes(tmp_path, run, images):
    from fer_sklearn.cli.evaluate import score

    y_true, y_prob = np.array(["happy", "sad"]), np.eye(2)
    parts = [("all", score(y_true, y_prob, ["happy", "sad"]))]
    write_report(
        tmp_path / "report.html",
        model=str(run),
        data="faces.csv",
        images=images[:2],
        y_true=y_true,
        y_prob=y_prob,
        names=["happy", "sad"],
        parts=parts,
    )
    assert "image/png" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_errors_come_before_the_data_is_read(tmp_path, capsys, monkeypatch):
    args = ["evaluate", "compact", "nowhere.csv", "--report"]
    assert main([*args, str(tmp_path)]) == 1
    assert "is a folder; --report names" in capsys.readouterr().err
    assert main([*args, str(tmp_path / "no" / "report.html")]) == 1
    assert "is not a folder. Create it first" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert main([*args, str(tmp_path / "report.html")]) == 1
    assert 'pip install "jinja2' in capsys.readouterr().err
