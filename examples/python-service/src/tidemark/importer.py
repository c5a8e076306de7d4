"""Reads the bookmark file that every browser exports (the Netscape format)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from html.parser import HTMLParser

from tidemark.model import Bookmark, InvalidBookmark


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[dict[str, str], str, tuple[str, ...]]] = []
        self._folders: list[str] = []
        self._attributes: dict[str, str] = {}
        self._text: list[str] | None = None
        self._heading = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "dl":
            self._folders.append(self._heading)
            self._heading = ""
        elif tag in ("a", "h3"):
            self._attributes = {name: value or "" for name, value in attrs}
            self._text = []

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "dl" and self._folders:
            self._folders.pop()
        elif tag in ("a", "h3") and self._text is not None:
            text = "".join(self._text).strip()
            self._text = None
            if tag == "h3":
                self._heading = text
            else:
                self.found.append((self._attributes, text, tuple(name for name in self._folders if name)))


def read_export(text: str) -> Iterator[Bookmark | InvalidBookmark]:
    """Every entry as a bookmark, or as the reason why it is none (`javascript:`, a broken address)."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    for attributes, title, folders in reader.found:
        try:
            yield Bookmark(
                attributes.get("href", ""),
                title,
                tuple(filter(None, attributes.get("tags", "").split(","))) + folders,
                _time(attributes.get("add_date", "")),
            )
        except InvalidBookmark as error:
            yield error


def _time(seconds: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(seconds), timezone.utc)
    except (ValueError, OverflowError, OSError):
        return datetime.now(timezone.utc)
