"""What the web page and the plugin let people choose."""

from __future__ import annotations

from zspot.algorithms import METHODS

ONE_IMAGE_METHODS = [name for name, method in METHODS.items() if not method.needs_second]
"""Methods that take one image: neither page nor plugin asks for a second."""
