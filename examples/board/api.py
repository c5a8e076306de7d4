"""Notes over HTTP: GET /notes, POST /notes with one note as text."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import database


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/health":
            return self.answer(200, {"database": database.ask("PING")})
        if self.path == "/notes":
            return self.answer(200, database.ask("LRANGE", "notes", "0", "-1"))
        return self.answer(404, {"error": f"there is no {self.path}"})

    def do_POST(self):
        if self.path != "/notes":
            return self.answer(404, {"error": f"there is no {self.path}"})
        note = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode().strip()
        if note == "":
            return self.answer(400, {"error": "a note needs a text"})
        return self.answer(201, {"notes": database.ask("RPUSH", "notes", note)})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("0.0.0.0", int(os.environ["HOLM_SERVICE_API_PORT"])), Api).serve_forever()
