#!/usr/bin/env bash
# Build sdist and wheel, and try the wheel in a fresh environment of each Python that is named:
#   packaging/check_wheel.sh python3.11 python3.13
# Without names: the python3 that is found first. dist/ holds what was built.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
pythons=("${@:-python3}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { printf '\n== %s\n' "$*"; }

say "sdist, and a wheel made from it"
"${pythons[0]}" -m venv "$work/build"
"$work/build/bin/pip" install --quiet build twine
rm -rf dist
"$work/build/bin/python" -m build --outdir dist .
"$work/build/bin/twine" check --strict dist/*

for python in "${pythons[@]}"; do
  say "$("$python" --version)"
  env=$work/$(basename "$python")
  "$python" -m venv "$env"
  # the pinned torch first: it picks the CPU build where one is at hand
  "$env/bin/pip" install --quiet "$(grep '^torch==' constraints.txt)"
  "$env/bin/pip" install --quiet dist/*.whl
  "$env/bin/pip" check
  cd "$work"  # away from the source, so that the installed package is used
  "$env/bin/zspot" --version
  "$env/bin/zspot" methods > /dev/null
  "$env/bin/python" - <<'PYTHON'
import numpy as np
from PIL import Image

import zspot

picture = np.random.default_rng(0).normal(120, 20, (96, 96, 3)).clip(0, 255).astype(np.uint8)
Image.fromarray(picture).save("noisy.png")
clean = zspot.denoise(picture, channel_axis=-1, effort="fast")
assert clean.shape == picture.shape
assert clean.dtype == picture.dtype
assert clean.std() < picture.std() / 2
print("zspot.denoise:", picture.std().round(1), "->", clean.std().round(1))
PYTHON
  "$env/bin/zspot" denoise noisy.png clean.png --effort fast --overwrite
  cd "$root"
  wheel=$(echo "$root"/dist/*.whl)
  for extra in $("$env/bin/python" - <<'PYTHON'
from importlib.metadata import metadata

print(*metadata("zspot").get_all("Provides-Extra"))
PYTHON
  ); do
    "$env/bin/pip" install --quiet --dry-run "$wheel[$extra]" > /dev/null
    echo "extra $extra resolves"
  done
done
say "all well"
