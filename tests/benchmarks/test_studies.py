"""Variants as they are written, studies of variants, and rows as text."""

from __future__ import annotations

import sqlite3

import numpy as np
import pandas as pd
import pytest

from benchmarks import datasets, store, studies, variants, worker
from benchmarks.metrics import BenchmarkError
from benchmarks.variants import Variant
from tests.bench_help import ROOT, bench, quality_of, sets
from zspot.algorithms import METHODS
from zspot.core.errors import RecipeError

__all__ = ["sets"]
RESULTS = ROOT / "docs" / "results"


def made(text: str):
    variant = Variant.parse(text)
    return variants.change(METHODS[variant.method].make(variant.effort), variant.settings)


def test_a_variant_is_written_as_it_is_read():
    for text in ("auto:fast", "bsn-ins:best fill.trained=false", "noisy", "auto:fast device=cuda"):
        assert str(Variant.parse(text)) == text
    assert str(Variant.parse("dip")) == "dip:balanced"
    assert variants.parse_list("auto,auto:balanced,noisy") == [
        Variant("auto", "balanced"), Variant("noisy"),
    ]  # fmt: skip
    assert Variant.parse("auto device=cuda finish.guard=0").settings == {"finish.guard": "0"}
    with pytest.raises(BenchmarkError, match="'steps' is no key=value"):
        Variant.parse("dip steps")


def test_changes_are_of_numbers_words_and_whole_parts():
    recipe = made("self2self steps=7 dropout=0.5 predict.passes=3")
    assert (recipe.fit.steps, recipe.network.dropout, recipe.predict.passes) == (7, 0.5, 3)
    recipe = made("bsn-ins fill=constant fill.value=zero mask.exclusion=none")
    assert (recipe.fill.kind, recipe.fill.value, recipe.mask.exclusion) == (
        "constant", "zero", "none",
    )  # fmt: skip
    assert made("bsn-ins clip=0.5") == made("bsn-ins")
    with pytest.raises(BenchmarkError, match="no 'stepz'"):
        made("self2self stepz=7")
    with pytest.raises(BenchmarkError, match="no part 'film'"):
        made("self2self film.steps=7")
    with pytest.raises(RecipeError, match="stepz"):
        made("self2self fit.stepz=7")


def test_every_study_has_variants_that_exist_and_images_that_parse():
    for name in studies.names():
        study = studies.study(name)
        assert study.variants
        for text in (*study.suite.entries, *(i.rpartition("/")[0] for i in study.suite.images)):
            assert str(datasets.Entry.parse(text)) == text
        for variant in study.variants.values():
            if variant.settings and variant.method != "auto":
                made(str(variant))
    with pytest.raises(BenchmarkError, match="ablation: What each"):
        studies.study("nothing")


def test_auto_is_changed_after_it_chose_and_not_run_again_for_nothing(sets, monkeypatch):
    pair = datasets.load(sets, datasets.Entry("tiny"), "0")
    ran = []
    own = variants.zspot.run

    def run(image, method, **options):
        ran.append(method)
        return own(image, method, **options)

    monkeypatch.setattr(variants.zspot, "run", run)
    first, _ = variants.denoise(Variant.parse("auto:fast fit.steps=0"), pair.noisy)
    assert ran == ["auto"]  # nothing is changed by it
    second, _ = variants.denoise(Variant.parse("auto:fast finish=default"), pair.noisy)
    assert len(ran) == 2
    assert second.recipe is not None
    assert second.recipe.finish.similar == 0
    assert not np.array_equal(first.image, second.image)


def test_a_method_gets_8_bits_and_is_measured_in_01(sets):
    entry = datasets.Entry.parse("tiny+8bit")
    variant = Variant.parse("zs-n2n:fast steps=3")
    outcome = worker.work(worker.Task(sets, entry, "0", variant, crop=24))
    assert outcome.row.get("error") is None
    assert outcome.image is not None
    assert np.allclose(np.rint(255 * outcome.image), 255 * outcome.image, atol=1e-3)
    assert outcome.row["steps"] == 3
    assert outcome.row["changes"] == "steps=3"
    assert outcome.row["removed"] > 0


def test_a_study_runs_what_is_missing_and_shows_its_table(sets, tmp_path, monkeypatch, capsys):
    tiny = studies.Study(
        "a try", studies.Suite(("tiny",), limit=2, crop=24),
        {"noisy": Variant("noisy"), "short": Variant.parse("zs-n2n:fast steps=2"),
         "long": Variant.parse("zs-n2n:fast steps=4")}, "variants", {"best": True},
    )  # fmt: skip
    monkeypatch.setattr(studies, "study", lambda name: tiny)
    said = ("study", "tiny", "--data", sets, "--out", tmp_path / "run", "--csv")
    code, out, err = bench(capsys, *said)
    assert code == 0, err
    table = out.splitlines()
    assert table[0] == "variant,tiny (2)"
    assert [line.partition(",")[0] for line in table[1:]] == [
        "noisy", "short", "long", "best of each image",
    ]  # fmt: skip
    assert "0 of 6 rows to make" in bench(capsys, *said)[2]

    csv = tmp_path / "rows.csv"
    exported = ("export", "--rows", tmp_path / "run", "--study", "tiny", "--out", csv)
    assert bench(capsys, *exported)[:2] == (0, "6 rows\n")
    assert bench(capsys, "study", "tiny", "--out", csv, "--csv")[1] == out
    again = tmp_path / "again"
    assert "6 rows" in bench(capsys, "import", csv, "--out", again)[1]
    assert "0 rows" in bench(capsys, "import", csv, "--out", again)[1]
    columns = ["image", "method", "effort", "changes", "psnr", "ssim", "seconds"]
    first, second = (store.read_rows(path)[columns] for path in (tmp_path / "run", again))
    pd.testing.assert_frame_equal(first, second, check_exact=False, rtol=1e-6)
    assert "0 of 6 rows to make" in bench(capsys, *said[:-2], again, "--csv")[2]
    assert len(quality_of(again)) == 6

    # a store of an earlier version: what its rows lack is measured from its images
    columns = ["psnr_aligned", "ssim_aligned"]
    measured = store.read_rows(tmp_path / "run")[columns]
    assert measured.notna().all(axis=None)
    with sqlite3.connect(tmp_path / "run" / "rows.sqlite") as old:
        for column in columns:
            old.execute(f"ALTER TABLE rows DROP COLUMN {column}")
    old.close()
    assert bench(capsys, *exported, "--data", sets, "--overwrite")[0] == 0
    filled = store.read_rows(csv)[columns]
    np.testing.assert_allclose(filled, measured, atol=2e-3)


@pytest.mark.parametrize(
    ("name", "file", "first"),
    [
        ("auto", "auto.csv", "SIDD validation"),
        ("ablation", "ablation.csv", "auto"),
        ("matrix", "matrix.csv", "layers white:25"),
        ("bsn-ins", "bsn_ins.csv", "sidd_val/2_4"),
        ("bsn-ins-parts", "bsn_ins.csv", "sidd_val/2_4"),
        ("budget", "budget.csv", "set9/kodim03"),
        ("strengths", "strengths.csv", "chosen"),
        ("weak-noise", "weak_noise.csv", "SIDD validation cut, clean, 8bit"),
        ("curve", "curve.csv", "auto:fast"),
        ("sizes", "large.csv", "0.0655"),
    ],
)
def test_committed_rows_make_the_tables_of_their_studies(name, file, first):
    rows = store.read_rows(RESULTS / file)
    table = studies.study(name).show(rows, RESULTS)
    assert str(table.iloc[0, 0]) == first


def test_what_the_docs_say_of_parts_is_in_the_rows():
    table = studies.study("ablation").show(store.read_rows(RESULTS / "ablation.csv"), RESULTS)
    shown = table.set_index("variant")["FMDD (3)"]
    assert (shown["auto"], shown["no phases"], shown["network alone"]) == (
        "34.61", "34.40", "32.91",
    )  # fmt: skip
