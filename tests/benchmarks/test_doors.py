"""The walk through the doors: each step has a time, and other pixels stop it."""

import csv

import pytest

from benchmarks import doors


@pytest.fixture
def quick(monkeypatch):
    def first(told):
        told("first", "a step", 1.0)

    def second(told):
        told("second", "a step", 2.0)

    monkeypatch.setattr(doors, "DOORS", {"first": first, "second": second})
    monkeypatch.setattr("shutil.copy", lambda *_: None)


def test_a_row_for_each_step(quick, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["doors", "--out", str(tmp_path / "d.csv")])
    monkeypatch.chdir(tmp_path)
    doors.main()
    with (tmp_path / "d.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["door"], row["seconds"]) for row in rows] == [
        ("first", "1.00"),
        ("second", "2.00"),
    ]


def test_other_pixels_stop_it(quick, tmp_path, monkeypatch):
    import imageio.v3 as iio
    import numpy as np

    monkeypatch.chdir(tmp_path)
    for value, name in enumerate(doors.DOORS):
        iio.imwrite(f"{name}.png", np.full((4, 4), value, np.uint8))
    with pytest.raises(SystemExit, match="same pixels"):
        doors._same()


@pytest.mark.slow
def test_the_command_line_and_a_script_give_the_same(tmp_path, monkeypatch):
    names = ["--doors", "command line", "Python"]
    monkeypatch.setattr("sys.argv", ["doors", "--out", str(tmp_path / "d.csv"), *names])
    monkeypatch.chdir(tmp_path)
    doors.main()
    assert len((tmp_path / "d.csv").read_text().splitlines()) == 5
