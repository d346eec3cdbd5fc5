"""The napari plugin (extra `napari`): a dock widget, menu commands and sample data.

`napari.yaml` beside this file says what there is; napari loads the rest when it is used.
"""

from zspot.frontends import share_cores

share_cores()  # before the first of the other modules loads torch
