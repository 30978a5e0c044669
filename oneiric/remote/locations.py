"""Where manifests and artifacts may come from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from oneiric.core.redaction import redact
from oneiric.remote.errors import RemoteSyncError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_URI_CHARS = 2048
"""Longest URI of an artifact, in characters."""

_HTTP_SCHEMES = frozenset({"http", "https"})
_LOCAL_HOSTS = frozenset({"", "localhost"})
_MAX_SHOWN_CHARS = 128
_CONTROL = re.compile("[\x00-\x20\x7f]")


def locate_manifest(url: str, *, allow_files: bool, roots: Sequence[str]) -> str | Path:
    """Return *url* if it is an HTTP one, or the file it names if files are allowed and it is below one of *roots*.

    Without *roots* every file is. Symbolic links are followed before the comparison.
    """
    scheme = _scheme_of(url)
    if scheme in _HTTP_SCHEMES:
        if not _host_of(url):
            raise _refused(f"Unsupported manifest URL: {shown(url)} (no host)")
        return url
    if scheme == "file":
        if not allow_files:
            raise _refused("file URI access disabled for remote manifests")
        return _within(_path_of(url), roots)
    if scheme or not _is_file(url):
        raise _refused(f"Unsupported manifest URL: {shown(url)} (neither http, https or file, nor an existing file)")
    if not allow_files:
        raise _refused("local manifest paths disabled for remote manifests")
    return _within(Path(url).expanduser(), roots)


def locate_artifact(uri: str, *, allow_files: bool, roots: Sequence[str]) -> str | Path:
    """Return *uri* if it is an HTTP one, or the file it names, as :func:`locate_manifest` does."""
    if not uri:
        raise _refused("URI cannot be empty")
    if walks_path(uri):
        raise _refused(f"Path traversal attempt detected in URI: {shown(uri)}")
    scheme = _scheme_of(uri)
    if scheme in _HTTP_SCHEMES and _host_of(uri):
        return uri
    if scheme != "file":
        raise _refused(f"Unsupported URI scheme (must be http://, https://, or file://): {shown(uri)}")
    if not allow_files:
        raise _refused("file URI access disabled for artifacts")
    return _within(_path_of(uri), roots)


def walks_path(uri: str) -> bool:
    """Whether *uri* leaves its place: a "..", a backslash or a control character, or a path where a URL is due."""
    if len(uri) > MAX_URI_CHARS or _CONTROL.search(uri):
        return True
    if not _scheme_of(uri):
        return "/" in uri or "\\" in uri or ".." in uri
    path = unquote(re.split(r"[?#]", uri.partition("://")[2], maxsplit=1)[0])
    return "\\" in path or ".." in path.split("/") or bool(_CONTROL.search(path.replace(" ", "")))


def shown(url: str) -> str:
    """Return *url* as it may stand in an error: without credentials and query, bounded."""
    return repr(redact(url, limit=_MAX_SHOWN_CHARS))


def _path_of(url: str) -> Path:
    host, slash, path = url.partition("://")[2].partition("/")
    if host.lower() not in _LOCAL_HOSTS or not slash:
        raise _refused(f"Local path access denied: {shown(url)} names another host")
    return Path("/" + unquote(path))


def _within(path: Path, roots: Sequence[str]) -> Path:
    try:
        resolved = path.resolve()
        allowed = [Path(root).expanduser().resolve() for root in roots]
    except (OSError, ValueError, RuntimeError):  # a NUL, or links in a circle
        raise _refused(f"Local path access denied: {shown(str(path))} is no usable path") from None
    if allowed and not any(resolved.is_relative_to(root) for root in allowed):
        raise _refused(f"Local path access denied: {shown(str(path))} is outside allowed roots")
    if not resolved.is_file():
        raise _refused(f"Local path access denied: {shown(str(path))} is no regular file")
    return resolved


def _is_file(path: str) -> bool:
    try:
        return Path(path).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, or no such home
        return False


def _scheme_of(url: str) -> str:
    scheme, separator, _rest = url.partition("://")
    return scheme.lower() if separator else ""


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _refused(message: str) -> RemoteSyncError:
    return RemoteSyncError(message, reason="path")
