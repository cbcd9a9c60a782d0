"""The tables: how they are written, and which numbers stand where."""

import csv
import io

import numpy as np
import pytest

from tfdivcolor.evaluation import Measured, tables
from tfdivcolor.evaluation.tables import by_kind, by_method
from tfdivcolor.evaluation.tables.writing import Column, Report, Table

REPORT = Report(
    ["weights lfw"], [
        Table("Errors", "kind", [
            Column("n", ",d"), Column("grey"),
            Column("lfw", parts=("first", "best"))],
            {"kodak": [[1024], [0.08291], [0.0692, 0.5]],
             "faces": [[9], [None], [-0.04, None]]}),
        Table("Time", "kind", [Column("seconds", "+.1f")], {
            "kodak": [[0.26]], "faces": [[12.0]]})],
    ["a note"])


def test_text_is_aligned():
    assert tables.text(REPORT) == """\
weights lfw

Errors

kind       n   grey            lfw
kodak  1,024  .0829  .0692 / .5000
faces      9      -     -.0400 / -

Time

kind   seconds
kodak      +.3
faces    +12.0

a note"""


def test_markdown_has_the_same_cells():
    assert tables.markdown(REPORT) == """\
weights lfw

**Errors**

| kind | n | grey | lfw |
|---|---:|---:|---:|
| kodak | 1,024 | .0829 | .0692 / .5000 |
| faces | 9 | - | -.0400 / - |

**Time**

| kind | seconds |
|---|---:|
| kodak | +.3 |
| faces | +12.0 |

- a note
"""


def test_csv_is_one_table_of_all_numbers():
    rows = list(csv.DictReader(io.StringIO(tables.as_csv(REPORT))))
    assert rows == [
        {"kind": "kodak", "n": "1024", "grey": "0.08291",
         "lfw first": "0.0692", "lfw best": "0.5", "seconds": "0.26"},
        {"kind": "faces", "n": "9", "grey": "", "lfw first": "-0.04",
         "lfw best": "", "seconds": "12.0"}]


def test_csv_of_tables_with_different_rows():
    report = Report([], [
        Table("A", "method", [Column("x")], {"lfw": [[1.0]]}),
        Table("B", "method", [Column("y", parts=("1", "2"))],
              {"lfw": [[2.0, 3.0]], "truth": [[4.0, 5.0]]})], [])
    assert tables.as_csv(report) == (
        "method,x,y 1,y 2\nlfw,1.0,2.0,3.0\ntruth,,4.0,5.0\n")


@pytest.mark.parametrize("number, written", [
    (0.05, ".05"), (-0.05, "-.05"), (0.999, "1.00"), (1.5, "1.50"),
    (10.0, "10.00"), (-0.001, "-.00"), (0.0, ".00")])
def test_no_zero_before_the_point(number, written):
    assert Column("", ".2f").cell([number]) == written


def test_summary_over_pictures_and_seeds():
    rows = [Measured({"one": np.array([1.0, 2.0, 3.0]),
                      "auc": np.array([0.5])}),
            Measured({"one": np.array([3.0, 4.0, 5.0]),
                      "auc": np.array([0.7])})]
    summary = tables.summarize(rows)
    assert summary["one"]["mean"] == 3
    assert summary["one"]["standard_error"] == pytest.approx(1 / np.sqrt(3))
    assert summary["one"]["spread"] == pytest.approx(np.sqrt(2))
    assert summary["auc"]["standard_error"] is None
    assert summary["auc"]["pictures"] == 1
    alone = tables.summarize(rows[:1])
    assert alone["one"]["spread"] is None


def cells(**means):
    return {name: {"mean": mean, "standard_error": None, "spread": None,
                   "pictures": 7} for name, mean in means.items()}


def kind(first, **more):
    return {"pictures": 7, "unreadable": 2, "grey": 1, "stability": None,
            "summary": {
                "photos": cells(
                    one=first, best_of_8=0.05, pixel_of_8=0.02,
                    reconstruction=0.01, chroma=0.11, chroma_first=0.08,
                    colourfulness_first=20.0, share=0.3, share_kept=0.25,
                    seconds=0.125),
                "lfw": cells(one=0.09, best_of_8=0.08, pixel_of_8=0.07),
                "mean field": cells(one=0.0611),
                "grey": cells(one=0.0755),
                "truth": cells(chroma=0.1, colourfulness=32.5)}, **more}


def rows_of(kinds):
    text = tables.as_csv(by_kind.report(kinds, "photos", [], []))
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_a_kind():
    rows = rows_of({"kodak": kind(0.07), "faces": kind(0.04)})
    assert [row["kind"] for row in rows] == ["kodak", "faces"]
    assert [row["photos first"] for row in rows] == ["0.07", "0.04"]
    found = {name: float(value) for name, value in rows[0].items()
             if name != "kind"}
    assert list(found) == [
        "n", "left out unreadable", "left out grey", "grey", "mean field",
        "lfw first", "lfw best", "lfw pixel", "photos first", "photos best",
        "photos pixel", "reconstruction", "chroma first", "chroma all",
        "M3 difference", "chroma difference", "share promised", "share kept",
        "seconds"]
    assert found == pytest.approx({
        "n": 7, "left out unreadable": 2, "left out grey": 1, "grey": 0.0755,
        "mean field": 0.0611, "lfw first": 0.09, "lfw best": 0.08,
        "lfw pixel": 0.07, "photos first": 0.07, "photos best": 0.05,
        "photos pixel": 0.02, "reconstruction": 0.01, "chroma first": 0.8,
        "chroma all": 1.1, "M3 difference": -12.5,
        "chroma difference": 128 * (0.08 - 0.1), "share promised": 0.3,
        "share kept": 0.25, "seconds": 0.125})


def test_stability_where_it_was_measured():
    moved = cells(**{"256": 0.5, "3:2": 2.25, "grain": 1.0})
    report = by_kind.report(
        {"kodak": kind(0.07, stability=moved)}, "photos", ["heading"],
        ["missing"])
    text = tables.text(report)
    assert "goal: 2 or less" in text and "missing" in text
    assert text.startswith("heading\n")
    assert "kodak             7  .50  2.25   1.00" in text
    assert "goal" not in tables.text(
        by_kind.report({"kodak": kind(0.07)}, "photos", [], []))


def test_a_row_a_method_with_its_spread():
    summary = {"lfw": cells(one=0.05, variance=0.001),
               "truth": cells(chroma=0.1)}
    summary["lfw"]["one"]["spread"] = 0.0025
    report = by_method.report(summary, ["heading"], 3, ["missing"])
    text = tables.text(report)
    assert "3 evenly spaced pictures" in text and "missing" in text
    lines = text.splitlines()
    assert any(line.split()[:2] == ["lfw", ".05000"] for line in lines)
    assert any(line.startswith("lfw +- over seeds") and ".00250" in line
               for line in lines)
    assert "Do not compare" in text
    for heading, meaning in tables.METRICS.values():
        assert meaning in text and heading in text


def test_every_metric_has_its_place():
    placed = [name for names in by_method.BLOCKS.values() for name in names]
    assert sorted(placed) == sorted(tables.METRICS)
