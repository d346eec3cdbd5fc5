"""Settings of the documentation site; `make docs` builds it, every warning being an error."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]  # own directives; benchmarks for its titles
os.environ.setdefault("OMP_NUM_THREADS", "1")  # same pictures whatever the machine

from zspot import __version__  # noqa: E402

project = "zspot"
author = "The zspot developers"
copyright = "2026, the zspot developers"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "matplotlib.sphinxext.plot_directive",
    "commands",
    "measured",
    "rooms",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "gallery", "examples", "scripts", "figures"]
root_doc = "index"
highlight_language = "text"  # of blocks that name none: commands

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]

autosummary_generate = True
autodoc_typehints = "description"  # of fields; of functions the numpydoc sections say more
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"/\d\d_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "write_computation_times": False,
    "show_memory": False,
    "download_all_examples": False,
    "remove_config_comments": True,
    "doc_module": ("zspot",),
    "backreferences_dir": None,
    "min_reported_time": 10_000,
    "image_scrapers": ("matplotlib",),
    "image_srcset": ["2x"],
}

plot_html_show_source_link = plot_html_show_formats = False
plot_formats = [("png", 110)]

html_theme = "pydata_sphinx_theme"
html_title = "zspot"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"start": [], "install": []}  # they have no pages below them
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_toc_level": 2,
    "header_links_before_dropdown": 9,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
}
about = "denoise one noisy image; no clean image, no training by you"
man_pages = [("commands", "zspot", about, [author], 1)]

suppress_warnings = ["config.cache"]  # functions in the gallery's settings; nothing is missing
copybutton_exclude = ".linenos, .gp, .go"
