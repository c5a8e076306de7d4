"""The board as a page: what the API has, and whose it is."""

import html
import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

api = os.environ["HOLM_SERVICE_API_URL"]
workspace = os.environ.get("HOLM_WORKSPACE", "no workspace")


class Web(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/health":
            return self.answer("ok")
        with urllib.request.urlopen(f"{api}/notes", timeout=10) as response:
            notes = "".join(f"<li>{html.escape(note)}</li>" for note in json.load(response))
        return self.answer(f"<title>Board</title><h1>Board of {html.escape(workspace)}</h1><ul>{notes}</ul>")

    def answer(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("0.0.0.0", int(os.environ["HOLM_SERVICE_WEB_PORT"])), Web).serve_forever()
