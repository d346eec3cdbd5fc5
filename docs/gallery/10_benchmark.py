"""
A benchmark of your own
=======================

How good is a method on *your* kind of picture? Put clean pictures into a folder, and the
benchmarks add noise, run methods and compare. They are in the repository of zspot, not in the
package: run this from a clone of it, with the extra ``bench``.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import skimage.data
from PIL import Image

import benchmarks

repository = Path(benchmarks.__file__).parents[1]
folder = Path(tempfile.mkdtemp())

# %%
# A set is a folder with a folder ``clean`` in it. Here it holds parts of three pictures that
# scikit-image carries.

clean = folder / "mine" / "clean"
clean.mkdir(parents=True)
corners = {"camera": (80, 170), "coins": (80, 60), "moon": (200, 200)}
for name, (row, column) in corners.items():
    picture = getattr(skimage.data, name)()
    Image.fromarray(picture[row : row + 80, column : column + 80]).save(clean / f"{name}.png")


def run(*words):
    """Run one command of the benchmarks, as it is typed in a terminal, and print its answer."""
    command = [sys.executable, "-m", "benchmarks", *map(str, words)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    print(done.stdout)


# %%
# Two kinds of noise, white and correlated, each with standard deviation 25 of 255. Two methods, and
# the noisy picture itself to compare with. The command keeps a row for each picture. If it is
# stopped, the same command continues.

run("run", "--data", folder, "--out", folder / "rows", "--quiet",
    "--suite", "mine+white:25,mine+correlated:25",
    "--methods", "noisy,auto:fast,zs-n2n:fast")  # fmt: skip

# %%
# The mean difference of two methods with its confidence interval. Three pictures are few: the
# interval is wide.

run("compare", "auto:fast", "zs-n2n:fast", "--rows", folder / "rows")

# %%
# The rows as a CSV file, for any table or drawing.

run("export", "--rows", folder / "rows", "--out", folder / "rows.csv")
rows = pd.read_csv(folder / "rows.csv")
means = rows.pivot_table(index="noise", columns="method", values="psnr", sort=False)
print(means.round(2))

axis = means.plot.bar(rot=0, figsize=(7, 4), ylabel="PSNR in dB, higher is better")
axis.figure.set_layout_engine("constrained")
axis.set_xlabel("")
axis.set_ylim(15, 35)
for bars in axis.containers:
    axis.bar_label(bars, fmt="%.1f", padding=2)
axis.legend(title="", loc="upper left", ncols=3)
plt.show()
