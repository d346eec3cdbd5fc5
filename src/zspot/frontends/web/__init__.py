"""The web page (extra `web`): `zspot web`."""

from zspot.frontends.web.server import Settings, read_auth, serving

__all__ = ["Settings", "read_auth", "serving"]
