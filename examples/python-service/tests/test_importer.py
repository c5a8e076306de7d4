import unittest
from pathlib import Path

from tidemark.importer import read_export
from tidemark.model import InvalidBookmark

EXPORT = Path(__file__).with_name("export.netscape").read_text(encoding="utf-8")


class ReadExport(unittest.TestCase):
    def setUp(self):
        entries = list(read_export(EXPORT))
        self.problems = [entry for entry in entries if isinstance(entry, InvalidBookmark)]
        self.bookmarks = [entry for entry in entries if not isinstance(entry, InvalidBookmark)]

    def test_reads_addresses_titles_and_times(self):
        first = self.bookmarks[0]
        self.assertEqual(first.url, "https://tides.example/tables?year=2024&port=3")
        self.assertEqual(first.title, "Tables & charts")
        self.assertEqual(first.added.isoformat(), "2024-05-01T12:00:00+00:00")

    def test_makes_tags_of_folders_and_tags(self):
        self.assertEqual(self.bookmarks[1].tags, ("boats", "oak", "to-read", "wood"))

    def test_leaves_a_folder_at_its_end(self):
        self.assertEqual(self.bookmarks[2].tags, ())

    def test_says_what_it_skipped(self):
        self.assertEqual([str(problem) for problem in self.problems], ["not a web address: 'javascript:void(0)'"])

    def test_finds_nothing_in_something_else(self):
        self.assertEqual(list(read_export("{}")), [])
