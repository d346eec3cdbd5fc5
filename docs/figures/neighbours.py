"""What neighbouring planes gain over each plane by itself, by scene."""

import matplotlib.pyplot as plt
import pandas as pd
from measured import RESULTS

rows = pd.read_csv(RESULTS / "neighbours.csv")
rows["scene"] += rows["neighbours"].map(lambda count: "" if count == 2 else f", {count} each side")
pictures = {"bsd68": "photograph", "fmdd": "micrograph", "cc": "camera noise"}
marks = (("mean of all", "x", "tab:red"), ("bm4d", "s", "0.65"), ("neighbours", "D", "tab:blue"))
names = {"bm4d": "BM4D"}
scenes = list(dict.fromkeys(rows["scene"]))
figure, axes = plt.subplots(1, 3, sharey=True, figsize=(9, 5.5), layout="constrained")
for axis, (picture, title) in zip(axes, pictures.items(), strict=True):
    for method, mark, colour in marks:
        mine = rows[(rows["picture"] == picture) & (rows["method"] == method)]
        places = [scenes.index(scene) for scene in mine["scene"]]
        shown = mine["gain"].clip(lower=-5)
        axis.plot(shown, places, mark, color=colour, label=names.get(method, method))
    axis.axvline(0, color="0.5", linewidth=0.8)
    axis.set_title(f"{title}: {rows.loc[rows['picture'] == picture, 'noise'].iloc[0]}", fontsize=9)
    axis.set_xlabel("gain, dB (below -5 at -5)")
    axis.grid(axis="x", alpha=0.3)
axes[0].set_yticks(range(len(scenes)), scenes)
axes[0].invert_yaxis()
handles, labels = axes[0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside upper center", ncols=3)
