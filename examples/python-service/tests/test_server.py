import json
import tempfile
import threading
import unittest
from http.client import HTTPConnection
from pathlib import Path

from tidemark.config import Config
from tidemark.server import LARGEST_BODY, create_server


class ServerTest(unittest.TestCase):
    token = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        server = create_server(Config(Path(folder.name) / "b.sqlite", port=0, token=self.token))
        self.addCleanup(server.server_close)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        self.port = server.server_address[1]

    def ask(self, method, path, body=None, headers=None):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        self.addCleanup(connection.close)
        data = body if isinstance(body, (str, bytes)) or body is None else json.dumps(body)
        connection.request(method, path, data, headers or {})
        response = connection.getresponse()
        return response.status, json.loads(response.read())


class WithoutToken(ServerTest):
    def test_tells_its_health(self):
        self.assertEqual(self.ask("GET", "/health"), (200, {"status": "ok", "bookmarks": 0}))

    def test_adds_lists_and_removes(self):
        added = {"url": "http://a.example", "title": "A", "tags": ["x"]}
        self.assertEqual(self.ask("POST", "/bookmarks", added)[0], 201)
        self.assertEqual(self.ask("POST", "/bookmarks", added)[0], 200)
        status, found = self.ask("GET", "/bookmarks?q=%23x")
        self.assertEqual((status, [bookmark["url"] for bookmark in found]), (200, ["http://a.example/"]))
        self.assertEqual(self.ask("GET", "/tags"), (200, {"x": 1}))
        self.assertEqual(self.ask("DELETE", "/bookmarks?url=http://a.example")[0], 200)
        self.assertEqual(self.ask("DELETE", "/bookmarks?url=http://a.example")[0], 404)

    def test_refuses_bad_input_with_a_reason(self):
        cases = [
            ("POST", "/bookmarks", "no json", 400),
            ("POST", "/bookmarks", "[]", 400),
            ("POST", "/bookmarks", {"url": "ftp://a.example"}, 422),
            ("POST", "/bookmarks", b"x" * (LARGEST_BODY + 1), 413),
            ("GET", "/missing", None, 404),
        ]
        for method, path, body, status in cases:
            with self.subTest(status=status):
                answer = self.ask(method, path, body)
                self.assertEqual(answer[0], status)
                self.assertTrue(answer[1]["error"])


class WithToken(ServerTest):
    token = "open sesame"

    def test_lets_only_its_holder_in(self):
        self.assertEqual(self.ask("GET", "/bookmarks")[0], 401)
        self.assertEqual(self.ask("GET", "/bookmarks", headers={"Authorization": "Bearer open sesame"})[0], 200)

    def test_tells_its_health_to_anyone(self):
        self.assertEqual(self.ask("GET", "/health")[0], 200)
