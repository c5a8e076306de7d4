import unittest
from datetime import datetime, timezone

from tidemark.model import Bookmark
from tidemark.search import Query, search


def bookmark(url, title, tags=(), day=1):
    return Bookmark(url, title, tags, datetime(2024, 5, day, tzinfo=timezone.utc))


TIDES = bookmark("http://a.example/tables", "Tide tables", ("sea",), 1)
BOATS = bookmark("http://b.example/tide", "Boats", ("sea", "wood"), 2)
BREAD = bookmark("http://c.example", "Bread", ("kitchen",), 3)
ALL = (TIDES, BOATS, BREAD)


class ParseQuery(unittest.TestCase):
    def test_separates_words_from_tags(self):
        self.assertEqual(Query.parse("Tide #Sea tables!"), Query(("tide", "tables"), frozenset({"sea"})))


class Search(unittest.TestCase):
    def test_finds_everything_without_a_query_newest_first(self):
        self.assertEqual(search(ALL, ""), [BREAD, BOATS, TIDES])

    def test_puts_a_title_before_an_address(self):
        self.assertEqual(search(ALL, "tide"), [TIDES, BOATS])

    def test_wants_every_word_and_every_tag(self):
        self.assertEqual(search(ALL, "tide tables"), [TIDES])
        self.assertEqual(search(ALL, "#sea #wood"), [BOATS])
        self.assertEqual(search(ALL, "tide bread"), [])

    def test_takes_the_beginning_of_a_word(self):
        self.assertEqual(search(ALL, "bre"), [BREAD])
        self.assertEqual(search(ALL, "ead"), [])

    def test_stops_at_the_limit(self):
        self.assertEqual(len(search(ALL, "", limit=2)), 2)
