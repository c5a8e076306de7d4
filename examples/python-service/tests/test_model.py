import unittest
from datetime import datetime

from tidemark.model import Bookmark, InvalidBookmark, normalise_tag, normalise_url


class NormaliseUrl(unittest.TestCase):
    def test_gives_one_address_one_spelling(self):
        for text in ("HTTP://Example.ORG:80", " http://example.org/#top ", "http://example.org"):
            with self.subTest(text):
                self.assertEqual(normalise_url(text), "http://example.org/")

    def test_keeps_what_matters(self):
        self.assertEqual(normalise_url("https://example.org:8443/a?b=c"), "https://example.org:8443/a?b=c")
        self.assertEqual(normalise_url("http://[::1]:80/x"), "http://[::1]/x")

    def test_refuses_what_is_no_web_address(self):
        for text in ("", "example.org", "javascript:alert(1)", "http://", "http://x:99999/"):
            with self.subTest(text), self.assertRaises(InvalidBookmark):
                normalise_url(text)


class Tags(unittest.TestCase):
    def test_are_lower_case_words(self):
        self.assertEqual(normalise_tag("  To Read "), "to-read")

    def test_refuse_other_characters(self):
        for text in ("", "a,b", "-x", "x" * 33):
            with self.subTest(text), self.assertRaises(InvalidBookmark):
                normalise_tag(text)


class BookmarkTest(unittest.TestCase):
    def test_sorts_tags_and_drops_repeated_ones(self):
        self.assertEqual(Bookmark("http://a.example", tags=("b", "A", "a")).tags, ("a", "b"))

    def test_takes_the_address_for_a_missing_title(self):
        self.assertEqual(Bookmark("http://a.example", "  ").title, "http://a.example/")

    def test_needs_a_time_zone(self):
        with self.assertRaises(InvalidBookmark):
            Bookmark("http://a.example", added=datetime(2020, 1, 1))
