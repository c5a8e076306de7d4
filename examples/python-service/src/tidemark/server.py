"""The HTTP interface: JSON over the standard library's server."""

from __future__ import annotations

import hmac
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tidemark.config import Config
from tidemark.model import Bookmark, InvalidBookmark
from tidemark.search import search
from tidemark.store import NotFound, Store

LARGEST_BODY = 64 * 1024


class Refused(Exception):
    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    """One request: opens the store, answers, closes it. SQLite arbitrates between threads."""

    config: Config
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle({"/health": self._health, "/bookmarks": self._list, "/tags": self._tags})

    def do_POST(self) -> None:
        self._handle({"/bookmarks": self._add})

    def do_DELETE(self) -> None:
        self._handle({"/bookmarks": self._remove})

    def _handle(self, routes: dict) -> None:
        self._target = urlsplit(self.path)
        try:
            action = routes.get(self._target.path)
            if action is None:
                raise Refused(HTTPStatus.NOT_FOUND, f"no such page: {self._target.path}")
            self._authorise()
            with Store(self.config.database) as store:
                self._answer(*action(store))
        except Refused as refusal:
            self._answer(refusal.status, {"error": str(refusal)})
        except InvalidBookmark as error:
            self._answer(HTTPStatus.UNPROCESSABLE_ENTITY, {"error": str(error)})
        except NotFound as error:
            self._answer(HTTPStatus.NOT_FOUND, {"error": f"no bookmark of {error.args[0]}"})

    def _authorise(self) -> None:
        wanted = self.config.token
        if wanted is None or self._target.path == "/health":
            return
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise Refused(HTTPStatus.UNAUTHORIZED, "a token is needed")

    def _health(self, store: Store) -> tuple[HTTPStatus, object]:
        return HTTPStatus.OK, {"status": "ok", "bookmarks": len(store)}

    def _list(self, store: Store) -> tuple[HTTPStatus, object]:
        query = parse_qs(self._target.query)
        found = search(store.all(), query.get("q", [""])[0], limit=100)
        return HTTPStatus.OK, [bookmark.to_json() for bookmark in found]

    def _tags(self, store: Store) -> tuple[HTTPStatus, object]:
        return HTTPStatus.OK, store.tags()

    def _add(self, store: Store) -> tuple[HTTPStatus, object]:
        body = self._body()
        bookmark = Bookmark(str(body.get("url", "")), str(body.get("title", "")), tuple(body.get("tags", ())))
        status = HTTPStatus.CREATED if store.add(bookmark) == 1 else HTTPStatus.OK
        return status, bookmark.to_json()

    def _remove(self, store: Store) -> tuple[HTTPStatus, object]:
        url = parse_qs(self._target.query).get("url", [""])[0]
        store.remove(url)
        return HTTPStatus.OK, {"removed": url}

    def _body(self) -> dict:
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST_BODY:
            # Read some of it, so that the client gets the answer and not a reset connection.
            self.rfile.read(min(length, 16 * LARGEST_BODY))
            self.close_connection = True
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {LARGEST_BODY} bytes")
        try:
            body = json.loads(self.rfile.read(length))
        except ValueError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is no JSON") from error
        if not isinstance(body, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
        return body

    def _answer(self, status: HTTPStatus, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the address of a bookmark is nobody's business."""


def create_server(config: Config) -> ThreadingHTTPServer:
    handler = type("ConfiguredHandler", (Handler,), {"config": config})
    return ThreadingHTTPServer((config.host, config.port), handler)
