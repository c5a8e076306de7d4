import tempfile
import threading
import unittest
from datetime import datetime, timezone
from pathlib import Path

from tidemark.model import Bookmark
from tidemark.store import NotFound, Store


def at(day: int) -> datetime:
    return datetime(2024, 5, day, tzinfo=timezone.utc)


class StoreTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "deep" / "bookmarks.sqlite"
        self.store = Store(self.path)
        self.addCleanup(self.store.close)

    def test_gives_back_what_it_got(self):
        bookmark = Bookmark("http://a.example", "A", ("x", "y"), at(1))
        self.assertEqual(self.store.add(bookmark), 1)
        self.assertEqual(self.store.get("HTTP://A.example#z"), bookmark)

    def test_replaces_an_address_with_its_tags(self):
        self.store.add(Bookmark("http://a.example", "old", ("x",)))
        self.assertEqual(self.store.add(Bookmark("http://a.example", "new", ("y",))), 0)
        self.assertEqual(self.store.get("http://a.example").title, "new")
        self.assertEqual(self.store.tags(), {"y": 1})

    def test_lists_newest_first_and_by_tag(self):
        self.store.add([Bookmark(f"http://{day}.example", tags=("odd",) * (day % 2), added=at(day)) for day in (1, 2, 3)])
        self.assertEqual([bookmark.added.day for bookmark in self.store.all()], [3, 2, 1])
        self.assertEqual([bookmark.added.day for bookmark in self.store.all("odd")], [3, 1])

    def test_adds_all_or_none(self):
        def broken():
            yield Bookmark("http://a.example")
            raise RuntimeError("the source failed")

        with self.assertRaises(RuntimeError):
            self.store.add(broken())
        self.assertEqual(len(self.store), 0)

    def test_says_what_it_does_not_have(self):
        for action in (self.store.get, self.store.remove):
            with self.subTest(action.__name__), self.assertRaises(NotFound):
                action("http://missing.example")

    def test_keeps_what_another_connection_wrote(self):
        def write(number):
            with Store(self.path) as store:
                store.add(Bookmark(f"http://{number}.example"))

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.store), 8)
