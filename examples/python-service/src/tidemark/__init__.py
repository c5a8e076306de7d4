"""Keeps bookmarks: tags, search, an HTTP interface, and an importer for browsers' exports."""

from tidemark.model import Bookmark, InvalidBookmark
from tidemark.store import NotFound, Store

__all__ = ["Bookmark", "InvalidBookmark", "NotFound", "Store", "__version__"]
__version__ = "1.4.0"
