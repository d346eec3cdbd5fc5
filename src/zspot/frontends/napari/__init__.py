"""The napari plugin (extra `napari`): `napari.yaml` beside this file says what there is."""

from zspot.frontends import share_cores

share_cores()  # before the first of the other modules loads torch
