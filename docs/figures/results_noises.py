"""`auto` and a blind BM3D on each kind of noise, means over five pictures."""

import matplotlib.pyplot as plt
from measured import RESULTS, noises

table = noises(RESULTS / "matrix.csv", "").iloc[:-1]
figure, axis = plt.subplots(figsize=(8, 5.5), layout="constrained")
places = range(len(table))
for name, mark, colour, title in (
    ("noisy", "x", "tab:red", "noisy"),
    ("bm3d", "s", "0.65", "BM3D"),
    ("auto", "D", "tab:blue", "auto"),
):
    axis.plot(table[name].astype(float), places, mark, color=colour, label=title)
axis.set_yticks(places, table["kind"])
axis.invert_yaxis()
axis.set_xlabel("mean PSNR, dB (further right is better)")
axis.grid(axis="x", alpha=0.3)
figure.legend(loc="outside upper center", ncols=3)
