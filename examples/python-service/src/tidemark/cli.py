"""The command line: `tidemark --help`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import tidemark
from tidemark.config import Config, InvalidConfig
from tidemark.importer import read_export
from tidemark.model import Bookmark, InvalidBookmark
from tidemark.search import search
from tidemark.store import NotFound, Store


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments, Config.load(os.environ))
    except (InvalidBookmark, InvalidConfig) as error:
        print(f"tidemark: {error}", file=sys.stderr)
        return 2
    except NotFound as error:
        print(f"tidemark: no bookmark of {error.args[0]}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tidemark", description=tidemark.__doc__)
    parser.add_argument("--version", action="version", version=f"tidemark {tidemark.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _command(commands, _init, "init", "make or migrate the database")
    add = _command(commands, _add, "add", "keep an address")
    add.add_argument("url")
    add.add_argument("--title", default="")
    add.add_argument("--tag", action="append", default=[], dest="tags")
    remove = _command(commands, _remove, "remove", "forget an address")
    remove.add_argument("url")
    find = _command(commands, _find, "find", "find by words and #tags")
    find.add_argument("words", nargs="*")
    importing = _command(commands, _import, "import", "take over a browser's export")
    importing.add_argument("file", type=Path)
    _command(commands, _serve, "serve", "answer over HTTP")
    return parser


def _command(commands, run, name: str, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    return parser


def _init(_arguments: argparse.Namespace, config: Config) -> int:
    with Store(config.database) as store:
        print(f"{config.database}: {store.applied} steps applied, {len(store)} bookmarks")
    return 0


def _add(arguments: argparse.Namespace, config: Config) -> int:
    with Store(config.database) as store:
        bookmark = Bookmark(arguments.url, arguments.title, tuple(arguments.tags))
        print(f"{'added' if store.add(bookmark) else 'replaced'} {bookmark.url}")
    return 0


def _remove(arguments: argparse.Namespace, config: Config) -> int:
    with Store(config.database) as store:
        store.remove(arguments.url)
    return 0


def _find(arguments: argparse.Namespace, config: Config) -> int:
    with Store(config.database) as store:
        found = search(store.all(), " ".join(arguments.words))
    for bookmark in found:
        print("\t".join((bookmark.url, bookmark.title, " ".join(f"#{tag}" for tag in bookmark.tags))))
    return 0 if found else 1


def _import(arguments: argparse.Namespace, config: Config) -> int:
    entries = list(read_export(arguments.file.read_text(encoding="utf-8", errors="replace")))
    for problem in entries:
        if isinstance(problem, InvalidBookmark):
            print(f"tidemark: skipped: {problem}", file=sys.stderr)
    bookmarks = [entry for entry in entries if isinstance(entry, Bookmark)]
    with Store(config.database) as store:
        print(f"{store.add(bookmarks)} new of {len(bookmarks)}")
    return 0


def _serve(_arguments: argparse.Namespace, config: Config) -> int:
    from tidemark.server import create_server

    with create_server(config) as server:
        print(f"listening on http://{config.host}:{server.server_address[1]}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 130
    return 0
