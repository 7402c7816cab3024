# ruff: noqa: E402, PT009, PT027 - settings come before imports, and Django's test cases have their own assertions
"""A Django project and its tests: `python django_project.py DSN psycopg|psycopg2`, run by Django's own runner."""

import asyncio
import sys
import threading
from urllib.parse import parse_qsl, urlsplit

DSN, DRIVER = sys.argv[1:]
if DRIVER == "psycopg2":
    sys.modules["psycopg"] = None  # Django takes the newer one where it is installed

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation
from django.db.transaction import TransactionManagementError


def database(name):
    """Return Django's description of a database on the run's server."""
    parts = urlsplit(DSN)
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": parts.username,
        "PASSWORD": parts.password or "",
        "HOST": query.get("host", parts.hostname or ""),
        "PORT": query.get("port", parts.port or ""),
        "TEST": {"NAME": name},
    }


NAME = urlsplit(DSN).path[1:]
settings.configure(
    DATABASES={
        "default": database(f"{NAME}_default"),
        "other": database(f"{NAME}_other"),
        "lite": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
    },
    USE_TZ=True,
    DEBUG=False,
)
django.setup()

from django.db import DatabaseError, connection, connections, transaction
from django.test import TestCase, TransactionTestCase
from django.test.runner import DiscoverRunner
from django.test.utils import CaptureQueriesContext

from bridge import Job, Oban
from bridge.engine import inserts
from bridge.engine.schema import install_sql
from bridge.errors import EncodeError, InvalidSetting, SchemaError
from bridge.sync import SyncOban

oban = SyncOban(conn=connection)


def queues(alias="default"):
    """Return the queues of the jobs that are there, in their order."""
    with connections[alias].cursor() as cursor:
        cursor.execute("select queue from oban_jobs order by id")
        return [row[0] for row in cursor.fetchall()]


def many(*queues):
    return (Job("W", queue=queue, tags=["a", 'b"%s']) for queue in queues)


class WithinTestCase(TestCase):
    """Each test is rolled back by Django."""

    def test_first(self):
        self.assertEqual(queues(), [])
        oban.enqueue(Job("W", queue="alpha", args={"%s": "$1 %"}))
        oban.enqueue_many(many("beta", "gamma"))
        self.assertEqual(queues(), ["alpha", "beta", "gamma"])

    def test_second(self):
        self.test_first()

    def test_what_was_inserted_can_be_read(self):
        job = oban.enqueue(Job("W", args={"%s": "$1 %"}, tags=["x"], schedule_in=60))
        found = oban.get_job(job.id)
        self.assertEqual((found.args, found.tags, found.scheduled_at), (job.args, job.tags, job.scheduled_at))
        self.assertTrue(oban.cancel_job(job))
        self.assertEqual(oban.get_job(job.id).state, "cancelled")

    def test_django_logs_the_statements(self):
        oban.get_job(1)  # the first call of a client reads what the schema has
        with CaptureQueriesContext(connection) as queries:
            oban.enqueue(Job("W", args={"%s": "$1 %"}))
        self.assertEqual(len(queries), 1)
        self.assertIn("$1 %", queries[0]["sql"])


class Transactions(TransactionTestCase):
    """Nothing is rolled back that the test does not roll back."""

    databases = ("default", "other")

    def setUp(self):
        for alias in self.databases:
            with connections[alias].cursor() as cursor:
                cursor.execute("truncate oban_jobs")

    def test_a_block_is_committed_or_rolled_back(self):
        with transaction.atomic():
            oban.enqueue(Job("W", queue="kept"))
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            oban.enqueue(Job("W", queue="lost"))
            oban.enqueue_many(many("lost", "lost"))
            raise ZeroDivisionError
        self.assertEqual(queues(), ["kept"])

    def test_a_block_within_a_block(self):
        with transaction.atomic():
            oban.enqueue(Job("W", queue="kept"))
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                oban.enqueue_many(many("lost"))
                raise ZeroDivisionError
            with transaction.atomic():
                oban.enqueue_many(many("more"))
        self.assertEqual(queues(), ["kept", "more"])

    def test_an_error_in_bulk_leaves_the_block_alive(self):
        inserts.CHUNK, chunk = 1, inserts.CHUNK
        try:
            with transaction.atomic():
                oban.enqueue(Job("W", queue="kept"))
                with self.assertRaises(DatabaseError):
                    oban.enqueue_many([Job("W"), Job("W", max_attempts=2_000_000_000, queue="refused")])
                oban.enqueue(Job("W", queue="more"))
        finally:
            inserts.CHUNK = chunk
        self.assertEqual(queues(), ["kept", "more"])

    def test_args_that_are_too_large_leave_the_block_alive(self):
        largest = 16 * 2**20 - len('{"a":""}')
        with transaction.atomic():
            oban.enqueue(Job("W", queue="kept"))
            for enqueue in (oban.enqueue, lambda job: oban.enqueue_many([Job("W", queue="lost"), job])):
                with self.assertRaisesRegex(EncodeError, "args: expected at most 16,777,216, got '16,777,217 bytes'"):
                    enqueue(Job("W", queue="lost", args={"a": "x" * (largest + 1)}))
            oban.enqueue(Job("W", queue="more", args={"a": "x" * largest}))
        self.assertEqual(queues(), ["kept", "more"])

    def test_without_a_block_jobs_are_there_at_once(self):
        oban.enqueue(Job("W", queue="alpha"))
        oban.enqueue_many(many("beta"))
        self.assertEqual(self.elsewhere(), ["alpha", "beta"])

    def test_in_bulk_without_a_block_all_or_none(self):
        def failing():
            yield from many("lost")
            raise ZeroDivisionError

        inserts.CHUNK, chunk = 1, inserts.CHUNK
        try:
            with self.assertRaises(ZeroDivisionError):
                oban.enqueue_many(failing())
        finally:
            inserts.CHUNK = chunk
        self.assertEqual(queues(), [])

    def test_a_job_is_announced_by_the_commit(self):
        listener = connections["default"].copy()
        listener.inc_thread_sharing()
        with listener.cursor() as cursor:
            cursor.execute('listen "public.oban_insert"')
            raw = cursor.cursor.connection
            with transaction.atomic():
                oban.enqueue(Job("W", queue="alpha"))
                oban.enqueue_many(many("beta", "beta"))
                self.assertEqual(heard(raw), [])
            self.assertEqual(sorted(heard(raw)), ['{"queue": "alpha"}', '{"queue": "beta"}'])
        listener.close()

    def test_conversions_of_the_application_change_nothing(self):
        connection.ensure_connection()
        raw = connection.connection
        if DRIVER == "psycopg2":
            extensions = sys.modules["psycopg2.extensions"]
            extensions.register_type(extensions.new_type((20, 1114), "ODD", lambda *_: "odd"), raw)
        else:
            raw.adapters.register_loader(
                "int8", type("Odd", (connection.Database.adapt.Loader,), {"load": lambda *_: 0})
            )
        job = oban.enqueue(Job("W"))
        [other] = oban.enqueue_many(many("beta"))
        connection.close()
        self.assertEqual((oban.get_job(job.id).id, oban.get_job(other.id).id), (job.id, other.id))

    def test_another_database_by_its_alias(self):
        with transaction.atomic(using="other"):
            SyncOban().enqueue(Job("W", queue="alpha"), conn=connections["other"])
            SyncOban(conn=connections["other"]).enqueue_many(many("beta"))
            self.assertEqual(queues(), [])
        self.assertEqual((queues(), queues("other")), ([], ["alpha", "beta"]))

    def test_a_failed_block_says_so(self):
        with transaction.atomic():
            with self.assertRaises(DatabaseError), connection.cursor() as cursor:
                cursor.execute("select 1 / 0")
            with self.assertRaisesRegex(DatabaseError, "current transaction is aborted"):
                oban.enqueue(Job("W"))
            transaction.set_rollback(True)
            with self.assertRaises(TransactionManagementError):
                oban.enqueue(Job("W"))
        self.assertEqual(queues(), [])

    def test_each_thread_has_its_own_connection(self):
        failures = []

        def run():
            try:
                oban.enqueue(Job("W", queue="thread"))
                connection.close()
            except Exception as error:
                failures.append(error)

        with transaction.atomic():
            oban.enqueue(Job("W", queue="here"))
            self.in_thread(run)
            self.assertEqual(failures, [])
            self.assertEqual(self.elsewhere(), ["thread"])

    def test_a_connection_of_another_thread_is_refused(self):
        failures, own = [], connections["default"]

        def run():
            for call in (oban.enqueue, lambda job, conn: oban.enqueue_many([job], conn=conn)):
                try:
                    call(Job("W"), conn=own)
                except DatabaseError as error:
                    failures.append(str(error))

        self.in_thread(run)
        self.assertEqual(["same thread" in failure for failure in failures], [True, True])
        self.assertEqual(queues(), [])

    def test_a_connection_that_no_alias_stands_for_takes_no_bulk(self):
        other = connections["default"].copy()
        with self.assertRaisesRegex(InvalidSetting, "this thread's connection 'default'"):
            oban.enqueue_many(many("alpha"), conn=other)
        other.close()

    def test_another_vendor_is_refused(self):
        with self.assertRaisesRegex(InvalidSetting, "a connection to PostgreSQL, got 'sqlite'"):
            oban.enqueue(Job("W"), conn=connections["lite"])

    def test_tables_that_are_not_there(self):
        with self.assertRaisesRegex(SchemaError, "bridge install"):
            SyncOban(conn=connection, prefix="nowhere").enqueue(Job("W"))

    def test_django_refuses_an_event_loop(self):
        async def enqueue():
            async with Oban(dsn=DSN) as running:
                await running.enqueue(Job("W"), conn=connection)

        with self.assertRaises(SynchronousOnlyOperation):
            asyncio.run(enqueue())

    def test_an_asynchronous_view_calls_the_client_as_it_calls_the_orm(self):
        def enqueue():
            oban.enqueue(Job("W", queue="alpha"))
            connection.close()

        asyncio.run(sync_to_async(enqueue)())
        self.assertEqual(queues(), ["alpha"])

    def elsewhere(self):
        """Return what another connection sees."""
        found = []

        def run():
            found.extend(queues())
            connection.close()

        self.in_thread(run)
        return found

    def in_thread(self, run):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()


def heard(raw):
    """Return what a raw connection was told since the last call: all that came before a word of its own."""
    with raw.cursor() as cursor:
        cursor.execute("notify \"public.oban_insert\", 'mark'")
    found = []
    while "mark" not in found:
        if DRIVER == "psycopg2":
            raw.poll()
            found += [notice.payload for notice in raw.notifies]
            raw.notifies.clear()
        else:
            found += [notice.payload for notice in raw.notifies(timeout=10, stop_after=1)]
    return found[: found.index("mark")]


class Runner(DiscoverRunner):
    """Installs Oban's tables where a project would do it by a migration."""

    def setup_databases(self, **options):
        old = super().setup_databases(**options)
        for alias in ("default", "other"):
            with connections[alias].cursor() as cursor:
                cursor.execute(install_sql())
                cursor.execute("alter table oban_jobs add check (queue <> 'refused')")
        return old

    def load_tests_for_label(self, _label, _options):
        return self.test_loader.loadTestsFromModule(sys.modules["__main__"])


if __name__ == "__main__":
    if DRIVER == "psycopg2":
        import psycopg2

        assert connection.Database is psycopg2
    sys.exit(bool(Runner(verbosity=2, interactive=False).run_tests(["here"])))
