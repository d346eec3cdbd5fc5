"""What `auto` gains on each picture with each kind of noise, as a heat map."""

import matplotlib.pyplot as plt
from measured import NOISES, RESULTS

from benchmarks.store import read_rows

rows = read_rows(RESULTS / "matrix.csv")
rows = rows[(rows["effort"] != "fast") & rows["method"].isin(["noisy", "auto"])]
kind = rows["noise"].str.partition(":")[0].map(NOISES)
table = rows.assign(kind=kind).pivot_table(
    index="kind", columns=["method", "image"], values="psnr", sort=False
)
gain = (table["auto"] - table["noisy"]).loc[[*dict.fromkeys(NOISES.values())]]
figure, axis = plt.subplots(figsize=(8, 6.5), layout="constrained")
shown = axis.imshow(gain, cmap="viridis", vmin=0, aspect="auto")
for row, values in enumerate(gain.to_numpy()):
    for column, value in enumerate(values):
        colour = "black" if value > gain.to_numpy().max() / 2 else "white"
        axis.text(column, row, f"{value:.1f}", ha="center", va="center", color=colour, fontsize=8)
axis.set_xticks(range(gain.shape[1]), gain.columns)
axis.set_yticks(range(len(gain)), gain.index)
axis.xaxis.tick_top()
figure.colorbar(shown, label="gain of auto over the noisy picture, dB")
