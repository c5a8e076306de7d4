import unittest
from pathlib import Path

from tidemark.config import Config, InvalidConfig


class Load(unittest.TestCase):
    def test_works_without_any_variable(self):
        config = Config.load({})
        self.assertEqual((config.host, config.port, config.token), ("127.0.0.1", 8473, None))

    def test_takes_variables(self):
        config = Config.load({"TIDEMARK_DATA": "/data", "TIDEMARK_PORT": "0", "TIDEMARK_TOKEN": "t"})
        self.assertEqual((config.database, config.port, config.token), (Path("/data/bookmarks.sqlite"), 0, "t"))

    def test_names_the_variable_that_is_wrong(self):
        for value in ("x", "-1", "65536"):
            with self.subTest(value), self.assertRaisesRegex(InvalidConfig, "TIDEMARK_PORT"):
                Config.load({"TIDEMARK_PORT": value})
