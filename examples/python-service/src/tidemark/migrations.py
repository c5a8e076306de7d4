"""The database's schema, as the steps that lead to it. A step is never changed once it was released."""

from __future__ import annotations

import sqlite3

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE bookmark (
        url TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        added TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE tag (
        url TEXT NOT NULL REFERENCES bookmark(url) ON DELETE CASCADE,
        name TEXT NOT NULL,
        PRIMARY KEY (url, name)
    ) WITHOUT ROWID;
    CREATE INDEX tag_by_name ON tag(name, url);
    """,
    """
    CREATE INDEX bookmark_by_added ON bookmark(added);
    """,
)


class NewerDatabase(RuntimeError):
    """The file was written by a newer tidemark."""


def current(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, steps: tuple[str, ...] = STEPS) -> int:
    """Applies what is missing, each step whole or not at all. Returns how many steps it applied."""
    version = current(connection)
    if version > len(steps):
        raise NewerDatabase(f"the database has version {version}, this tidemark knows {len(steps)}")
    for number, step in enumerate(steps[version:], start=version + 1):
        try:
            connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            raise
    return len(steps) - version
