"""Against the services that run beside the tests."""

import json
import os
import unittest
import urllib.error
import urllib.request
import uuid

api = os.environ["HOLM_SERVICE_API_URL"]
web = os.environ["HOLM_SERVICE_WEB_URL"]


def fetch(url, note=None):
    request = urllib.request.Request(url, data=None if note is None else note.encode())
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read().decode()


class BoardTest(unittest.TestCase):
    def test_a_note_is_kept_and_shown(self):
        note = f"<b>{uuid.uuid4()}</b>"
        count = json.loads(fetch(f"{api}/notes", note))["notes"]
        notes = json.loads(fetch(f"{api}/notes"))
        self.assertIn(note, notes)
        self.assertEqual(len(notes), count)
        page = fetch(web)
        self.assertIn(note.replace("<", "&lt;").replace(">", "&gt;"), page)
        self.assertNotIn(note, page)

    def test_the_page_says_whose_it_is(self):
        self.assertIn(f"Board of {os.environ['HOLM_WORKSPACE']}", fetch(web))

    def test_an_empty_note_is_refused(self):
        with self.assertRaises(urllib.error.HTTPError) as refused:
            fetch(f"{api}/notes", " ")
        self.assertEqual(refused.exception.code, 400)


if __name__ == "__main__":
    unittest.main()
