"""What is let through to the page: its own names, its own origin, and so much of uploads."""

import asyncio
import hmac
import os
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from zspot.frontends.web.server import HOST, Settings

_SLOW = 1.0  # seconds of the answer to a wrong password; one is answered after the other
_FILES = 20  # of the largest size that all visitors may hold together
_OVERHEAD = 100_000  # bytes of a request beside its file
_API = "/gradio_api/"
_FOR_LOGIN = ("startup-events", "theme.css", "login_check", "user", "token", "app_id")


def check_password(known: dict[str, str]) -> Any:
    """Return a coroutine function that tells whether a name has a password, one guess at a time."""
    turn = asyncio.Lock()

    async def check(name: str, password: str) -> bool:
        async with turn:
            right = hmac.compare_digest(known.get(name, "").encode(), password.encode())
            if right and name in known:
                return True
            await asyncio.sleep(_SLOW)
            return False

    return check


class Guard:
    """Refuses requests before gradio sees them; `folder` is where uploads lie."""

    def __init__(self, app: ASGIApp, folder: Path, settings: Settings) -> None:
        self._app, self._folder, self._login = app, folder, bool(settings.auth)
        self._hosts = [HOST, "localhost", *settings.hosts]  # names of this server or patterns
        self._hosts += ["*.gradio.live"] if settings.share else []
        self._most = settings.max_megabytes * 1_000_000  # bytes an upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, text = refusal
        while status == 413 and (await receive()).get("more_body"):
            pass  # a client that is still sending would not hear the answer
        await PlainTextResponse(text, status)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if not self._known(f"//{headers.get('host', '')}"):
            return 403, "this host name is not allowed: start zspot web with --allowed-host"
        if (origin := headers.get("origin")) is not None and not self._own(origin, headers):
            return 403, "requests from other pages are refused"
        path = scope["path"]
        if self._login and path.startswith(_API) and not self._logged_in(scope, path):
            return 401, "log in first"
        if path.rstrip("/") == f"{_API}upload":
            return self._too_large(headers.get("content-length", ""))
        return None

    def _own(self, origin: str, headers: Headers) -> bool:
        """Say whether a page is one of this server: on this computer others have other ports."""
        if not self._known(origin):
            return False
        page = urlsplit(origin)
        return page.hostname not in (HOST, "localhost") or page.netloc == headers.get("host")

    def _known(self, address: str) -> bool:
        try:
            name = urlsplit(address).hostname or ""
        except ValueError:
            return False
        return any(fnmatch(name, host) for host in self._hosts)

    def _logged_in(self, scope: Scope, path: str) -> bool:
        app, cookies = scope["app"], HTTPConnection(scope).cookies
        names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
        let_in = any(cookies.get(name) in app.tokens for name in names)
        return let_in or path.removeprefix(_API).rstrip("/") in _FOR_LOGIN

    def _too_large(self, length: str) -> tuple[int, str] | None:
        if not length.isdecimal():
            return 411, "an upload must say how long it is"
        if int(length) > self._most + _OVERHEAD:
            return 413, "the file is larger than this server accepts"
        files = (f"{at}/{name}" for at, _, names in os.walk(self._folder) for name in names)
        held = sum(map(_size, files))
        if int(length) > min(_FILES * self._most - held, shutil.disk_usage(self._folder).free // 2):
            return 413, "the server holds as many files as it may: try again later"
        return None


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)  # noqa: PTH202
    except OSError:  # its visitor has just left
        return 0
