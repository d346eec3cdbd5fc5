"""`auto` on each set beside the published means of methods without trained weights."""

import tomllib

import matplotlib.pyplot as plt
from measured import RESULTS

from benchmarks.datasets import Entry
from benchmarks.store import read_rows

SETS = ["sidd_val", "fmdd", "polyu", "cc", "set9+white:25", "bsd68+white:25"]
UNTRAINED = ("bsn-ins", "mash", "self2self", "dip", "refill", "ap-bsn")

rows = read_rows(RESULTS / "auto.csv")
printed = RESULTS.parents[1] / "benchmarks" / "published.toml"
published = tomllib.loads(printed.read_text(encoding="utf-8"))
figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
for place, text in enumerate(SETS):
    entry = Entry.parse(text)
    mine = rows[(rows["set"] == entry.set) & (rows["noise"] == entry.noise)]
    means = mine.groupby(["method", "effort"])["psnr"].mean()
    others = [published[text][name] for name in UNTRAINED if name in published[text]]
    psnrs = [float(str(cell).partition(" ")[0]) for cell in others]
    noisy, auto = means["noisy"].iloc[0], means["auto", "balanced"]
    once = place == 0
    axis.plot(psnrs, [place] * len(psnrs), "o", color="0.65", label="published" if once else None)
    axis.plot(noisy, place, "x", color="tab:red", label="noisy" if once else None)
    axis.plot(auto, place, "D", color="tab:blue", label="auto (trained weights)" if once else None)
axis.set_yticks(range(len(SETS)), [Entry.parse(text).title for text in SETS])
axis.invert_yaxis()
axis.set_xlabel("mean PSNR, dB (further right is better)")
axis.grid(axis="x", alpha=0.3)
figure.legend(loc="outside upper center", ncols=3)
