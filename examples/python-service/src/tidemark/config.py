"""Settings from the environment. Everything has a default that works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class InvalidConfig(ValueError):
    """A variable holds what it cannot hold; the message names it."""


@dataclass(frozen=True)
class Config:
    database: Path
    host: str = "127.0.0.1"
    port: int = 8473
    token: str | None = None

    @classmethod
    def load(cls, env: Mapping[str, str]) -> Config:
        folder = Path(env.get("TIDEMARK_DATA") or Path(env.get("HOME", "/tmp")) / ".local/share/tidemark")
        return cls(
            database=folder / "bookmarks.sqlite",
            host=env.get("TIDEMARK_HOST") or "127.0.0.1",
            port=_port(env.get("TIDEMARK_PORT") or "8473"),
            token=env.get("TIDEMARK_TOKEN") or None,
        )


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65535:
        raise InvalidConfig(f"TIDEMARK_PORT is {text!r}, not a port")
    return int(text)
