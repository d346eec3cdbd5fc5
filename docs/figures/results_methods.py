"""How far each method stays behind `auto`, by set: means of the rows in results/peers."""

import matplotlib.pyplot as plt
from measured import RESULTS

from benchmarks.datasets import Entry
from benchmarks.store import read_rows
from benchmarks.studies import SUITES

rows = read_rows(RESULTS / "peers" / "rows.csv")
rows = rows[(rows["effort"] != "fast") & rows["error"].isna()]
means = rows.pivot_table(index="method", columns=["set", "noise"], values="psnr")
behind = means.sub(means.loc["auto"])
order = behind.drop(index=["auto", "noisy"]).mean(axis=1).sort_values(ascending=False).index
order = ["auto", *order, "noisy"]
entries = [Entry.parse(text) for text in SUITES["quick"].entries]
figure, axis = plt.subplots(figsize=(8, 5), layout="constrained")
for mark, entry in zip("osD^v", entries, strict=True):
    values = behind.loc[order, (entry.set, entry.noise)]
    axis.plot(values, range(len(order)), mark, label=entry.title, alpha=0.8)
axis.set_yticks(range(len(order)), order)
axis.invert_yaxis()
axis.set_xlabel("PSNR less that of auto, dB (further right is better)")
axis.grid(alpha=0.3)
figure.legend(loc="outside upper center", ncols=5)
