"""What a bookmark is. Nothing here does I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from urllib.parse import urlsplit, urlunsplit

TAG = re.compile(r"[a-z0-9][a-z0-9+.-]{0,31}")


class InvalidBookmark(ValueError):
    """The input is no bookmark; the message says why."""


def normalise_url(text: str) -> str:
    """One spelling for one address: lower-case host, no default port, no fragment, a path."""
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidBookmark(f"not a web address: {text!r}")
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidBookmark(f"not a port: {text!r}") from error
    default = {"http": 80, "https": 443}[parts.scheme]
    host = parts.hostname if ":" not in parts.hostname else f"[{parts.hostname}]"
    netloc = host if port in (None, default) else f"{host}:{port}"
    return urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))


def normalise_tag(text: str) -> str:
    tag = re.sub(r"\s+", "-", text.strip().lower())
    if not TAG.fullmatch(tag):
        raise InvalidBookmark(f"not a tag: {text!r}")
    return tag


@dataclass(frozen=True)
class Bookmark:
    url: str
    title: str = ""
    tags: tuple[str, ...] = ()
    added: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", normalise_url(self.url))
        object.__setattr__(self, "title", " ".join(self.title.split()) or self.url)
        object.__setattr__(self, "tags", tuple(sorted({normalise_tag(tag) for tag in self.tags})))
        if self.added.tzinfo is None:
            raise InvalidBookmark("the time of a bookmark needs a time zone")

    def to_json(self) -> dict[str, object]:
        return {
            "url": self.url,
            "title": self.title,
            "tags": list(self.tags),
            "added": self.added.isoformat(),
        }
