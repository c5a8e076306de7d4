"""Finds bookmarks by words. Pure: it ranks what it is given."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from tidemark.model import Bookmark, normalise_tag

WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Query:
    words: tuple[str, ...]
    tags: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Query:
        """`#tag` narrows to a tag; everything else is words that all have to occur."""
        parts = text.split()
        tags = frozenset(normalise_tag(part[1:]) for part in parts if part.startswith("#"))
        rest = " ".join(part for part in parts if not part.startswith("#"))
        return cls(tuple(WORD.findall(rest.lower())), tags)


def score(bookmark: Bookmark, query: Query) -> float:
    """0: does not match. A word in the title counts more than one in the address."""
    if not query.tags <= set(bookmark.tags):
        return 0.0
    title = WORD.findall(bookmark.title.lower())
    address = WORD.findall(urlsplit(bookmark.url)._replace(scheme="").geturl().lower())
    total = 1.0 if not query.words else 0.0
    for word in query.words:
        best = max(_match(word, title) * 3.0, _match(word, bookmark.tags) * 2.0, _match(word, address))
        if best == 0.0:
            return 0.0
        total += best
    return total


def _match(word: str, candidates: Iterable[str]) -> float:
    return max(
        (1.0 if candidate == word else 0.5 for candidate in candidates if candidate.startswith(word)),
        default=0.0,
    )


def search(bookmarks: Iterable[Bookmark], text: str, limit: int = 20) -> list[Bookmark]:
    """Best first; equally good ones newest first."""
    query = Query.parse(text)
    ranked = [(score(bookmark, query), bookmark) for bookmark in bookmarks]
    found = [pair for pair in ranked if pair[0] > 0.0]
    found.sort(key=lambda pair: (-pair[0], -pair[1].added.timestamp(), pair[1].url))
    return [bookmark for _score, bookmark in found[:limit]]
