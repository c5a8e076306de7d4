"""Bookmarks in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tidemark.migrations import migrate
from tidemark.model import Bookmark, normalise_url


class NotFound(KeyError):
    """No bookmark of that address."""


class Store:
    """Opens (and, where needed, makes and migrates) the database. Use it as a context manager."""

    def __init__(self, path: str | Path) -> None:
        if str(path) != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(str(path), isolation_level=None, timeout=10)
        self._connection.execute("PRAGMA foreign_keys = ON")
        self.applied = migrate(self._connection)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def add(self, bookmarks: Bookmark | Iterable[Bookmark]) -> int:
        """Adds or replaces, all or none. Returns how many addresses were new."""
        wanted = [bookmarks] if isinstance(bookmarks, Bookmark) else list(bookmarks)
        with self._transaction() as connection:
            before = self._count(connection)
            for bookmark in wanted:
                self._put(connection, bookmark)
            return self._count(connection) - before

    def _put(self, connection: sqlite3.Connection, bookmark: Bookmark) -> None:
        connection.execute("DELETE FROM bookmark WHERE url = ?", (bookmark.url,))
        connection.execute(
            "INSERT INTO bookmark (url, title, added) VALUES (?, ?, ?)",
            (bookmark.url, bookmark.title, bookmark.added.isoformat()),
        )
        connection.executemany(
            "INSERT INTO tag (url, name) VALUES (?, ?)", [(bookmark.url, tag) for tag in bookmark.tags]
        )

    def get(self, url: str) -> Bookmark:
        row = self._connection.execute(
            "SELECT url, title, added FROM bookmark WHERE url = ?", (normalise_url(url),)
        ).fetchone()
        if row is None:
            raise NotFound(url)
        return self._read(row)

    def remove(self, url: str) -> None:
        if self._connection.execute("DELETE FROM bookmark WHERE url = ?", (normalise_url(url),)).rowcount == 0:
            raise NotFound(url)

    def all(self, tag: str | None = None) -> list[Bookmark]:
        """Newest first."""
        query = "SELECT url, title, added FROM bookmark"
        arguments: tuple[str, ...] = ()
        if tag is not None:
            query += " WHERE url IN (SELECT url FROM tag WHERE name = ?)"
            arguments = (tag,)
        rows = self._connection.execute(f"{query} ORDER BY added DESC, url", arguments).fetchall()
        return [self._read(row) for row in rows]

    def tags(self) -> dict[str, int]:
        rows = self._connection.execute("SELECT name, count(*) FROM tag GROUP BY name ORDER BY 2 DESC, 1")
        return dict(rows.fetchall())

    def __len__(self) -> int:
        return self._count(self._connection)

    def _count(self, connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT count(*) FROM bookmark").fetchone()[0])

    def _read(self, row: tuple[str, str, str]) -> Bookmark:
        url, title, added = row
        names = self._connection.execute("SELECT name FROM tag WHERE url = ?", (url,)).fetchall()
        return Bookmark(url, title, tuple(name for (name,) in names), datetime.fromisoformat(added))
