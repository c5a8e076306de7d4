import sqlite3
import unittest

from tidemark.migrations import STEPS, NewerDatabase, current, migrate


class Migrate(unittest.TestCase):
    def setUp(self):
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.connection.close)

    def test_applies_every_step_once(self):
        self.assertEqual(migrate(self.connection), len(STEPS))
        self.assertEqual(migrate(self.connection), 0)
        self.assertEqual(current(self.connection), len(STEPS))

    def test_goes_on_where_an_older_version_stopped(self):
        migrate(self.connection, STEPS[:1])
        self.assertEqual(migrate(self.connection), len(STEPS) - 1)

    def test_refuses_a_newer_database(self):
        self.connection.execute("PRAGMA user_version = 99")
        with self.assertRaises(NewerDatabase):
            migrate(self.connection)

    def test_leaves_nothing_of_a_step_that_fails(self):
        steps = ("CREATE TABLE one (x);", "CREATE TABLE two (x); CREATE TABLE one (x);")
        with self.assertRaises(sqlite3.OperationalError):
            migrate(self.connection, steps)
        tables = self.connection.execute("SELECT name FROM sqlite_master").fetchall()
        self.assertEqual(tables, [("one",)])
        self.assertEqual(current(self.connection), 1)
