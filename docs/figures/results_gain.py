"""What `auto` gains on each image of the development sets, by how noisy the image is."""

import matplotlib.pyplot as plt
from measured import RESULTS

from benchmarks.datasets import Entry
from benchmarks.store import read_rows
from benchmarks.studies import SUITES, beside_noisy

rows = beside_noisy(read_rows(RESULTS / "auto.csv"))
rows = rows[(rows["method"] == "auto") & (rows["effort"] == "balanced")]
figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
for mark, text in zip("osD^v<P", SUITES["development"].entries, strict=True):
    entry = Entry.parse(text)
    mine = rows[(rows["set"] == entry.set) & (rows["noise"] == entry.noise)]
    gain = mine["psnr"] - mine["noisy_psnr"]
    axis.plot(mine["noisy_psnr"], gain, mark, label=entry.title, alpha=0.7)
axis.axhline(0, color="0.5", linewidth=0.8)
axis.set_xlabel("PSNR of the noisy image, dB (strong noise left, weak noise right)")
axis.set_ylabel("gain of auto, dB")
axis.grid(alpha=0.3)
figure.legend(loc="outside upper center", ncols=4)
