import contextlib
import io
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from tidemark.cli import main


class CliTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        patch = mock.patch.dict(os.environ, {"TIDEMARK_DATA": folder.name})
        patch.start()
        self.addCleanup(patch.stop)

    def run_main(self, *argv):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(argv)
        return code, out.getvalue(), err.getvalue()

    def test_adds_finds_and_removes(self):
        self.assertEqual(self.run_main("add", "http://a.example", "--title", "Tide", "--tag", "sea")[1], "added http://a.example/\n")
        self.assertEqual(self.run_main("find", "tide")[1], "http://a.example/\tTide\t#sea\n")
        self.assertEqual(self.run_main("remove", "http://a.example")[0], 0)
        self.assertEqual(self.run_main("find", "tide")[0], 1)

    def test_imports_and_says_what_it_skipped(self):
        code, out, err = self.run_main("import", str(Path(__file__).with_name("export.netscape")))
        self.assertEqual((code, out), (0, "3 new of 3\n"))
        self.assertIn("skipped: not a web address", err)

    def test_ends_with_2_for_bad_input_and_1_for_a_missing_bookmark(self):
        self.assertEqual(self.run_main("add", "nonsense")[0], 2)
        self.assertEqual(self.run_main("remove", "http://a.example")[0], 1)

    def test_makes_the_database(self):
        self.assertIn("3 steps applied, 0 bookmarks", self.run_main("init")[1])
        self.assertIn("0 steps applied", self.run_main("init")[1])
