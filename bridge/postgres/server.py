"""The life cycle of one embedded server: start, find again, stop, destroy."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bridge.errors import DataFolderError, DiskFull, ServerError
from bridge.postgres import wire
from bridge.postgres.account import Account
from bridge.postgres.folder import Folder, default_data_dir
from bridge.postgres.launch import launch
from bridge.postgres.postmaster import Postmaster
from bridge.postgres.settings import NO_SETTINGS, checked_port, checked_settings
from bridge.postgres.sockets import discard
from bridge.postgres.status import DATABASE, Status, observe, socket_url, tcp_url

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE = 60.0  # seconds for a server to come up, or to go
_POLL = 0.02  # seconds; the server is no child of ours, so no system tells when it comes or goes


class Server:
    """A PostgreSQL server of this machine, with its data in one folder.

    The server is a process of its own: it goes on when the process that started it ends, however that ends,
    and is found again through its data folder. Any number of processes may start, use and stop it at once.

    As root the server runs as another user: the owner of the data if there are any, else the one who called
    sudo, else `postgres`, else `nobody`. No permission outside the data folder is changed.

    Args:
        data_dir: The folder for the data, made if missing; `default_data_dir()` if None.
        port: A TCP port on 127.0.0.1, 0 for any free one. Every user of this machine may connect to it
            without a password. None, the default, gives only a Unix socket, private to the server's user and
            root.
        settings: PostgreSQL's settings by name, such as `{"work_mem": "64MB"}`. They count when the server
            starts; one that runs already keeps its own. PostgreSQL's defaults hold for the rest, durability
            included, but for `max_connections` (200) and the time zone (UTC).

    Raises:
        InvalidSetting: A port or a setting that can't be.
        DataFolderError: No data folder was named and this user has no home.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        port: int | None = None,
        settings: Mapping[str, str] = NO_SETTINGS,
    ) -> None:
        self._folder = Folder(default_data_dir() if data_dir is None else Path(data_dir))
        self._port = checked_port(port)
        self._settings = checked_settings(settings)

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return self._folder.path

    def start(self) -> Status:
        """Start the server, or find it running, and make the database `bridge` if it is missing.

        The first start makes the data, which takes about half a second; later ones a fifth of that.

        Raises:
            BinariesMissing: PostgreSQL's programs are not installed or don't run here.
            DataFolderError: The folder isn't ours, can't be written, or the server's user can't reach it.
            DiskFull: No space is left.
            PortTaken: Another program has the port.
            VersionMismatch: The data are of another major version.
            ServerError: PostgreSQL did not start for another reason, which its quoted log tells.
        """
        if self._folder.is_ours() and (found := observe(self._folder, DATABASE)).running:
            return self._with_port(found)
        account = Account.for_data(self._folder.pgdata, self._folder.path)
        with self._folder.locked(account):
            self._bring_up(account)
            self._ensure_database()
        return self._with_port(self.status())

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> bool:
        """Stop the server and return True, or False when it was not running.

        Args:
            mode: "fast" ends all connections, "smart" waits until they end, "immediate" leaves recovery to
                the next start.

        Raises:
            ServerError: It did not stop within a minute, or belongs to another user.
        """
        if not self._folder.is_ours():
            return False
        with self._folder.locked():
            return self._bring_down(mode)

    def status(self) -> Status:
        """Return what is known of the server, by connecting to it.

        Raises:
            DataFolderError: The folder belongs to another user.
        """
        return observe(self._folder)

    def url(self, database: str = DATABASE, *, tcp: bool = False) -> str:
        """Return the DSN of a database, for asyncpg, psql and everything else that uses libpq.

        Args:
            database: The database's name; it need not exist.
            tcp: Connect by TCP instead of the socket, for a client that knows no sockets.

        Raises:
            ServerError: The server is not running, or has no TCP port.
        """
        postmaster = self._postmaster()
        if postmaster is None or not self.status().running:
            raise ServerError(f"The server of {self.data_dir} is not running: start it with `bridge db start`.")
        if tcp and not postmaster.tcp:
            raise ServerError(
                f"The server of {self.data_dir} has no TCP port: give it one with `bridge db stop` and then "
                "`bridge db start --port 0`."
            )
        return tcp_url(postmaster, database) if tcp else socket_url(postmaster, database)

    def destroy(self) -> None:
        """Stop the server and delete its data folder for good.

        Files in it that Bridge did not make stay, and so does the folder then.

        Raises:
            DataFolderError: Bridge did not make the folder; nothing was deleted.
        """
        if not self.data_dir.exists():
            return
        if not self._folder.is_ours():
            raise DataFolderError(f"{self.data_dir} was not made by Bridge, so it is not deleted.")
        with self._folder.locked():
            self._bring_down("immediate")
            self._folder.remove()

    def _with_port(self, status: Status) -> Status:
        """Return `status` if the server has the port that was asked for."""
        if self._port is None or self._port == status.port or (self._port == 0 and status.port):
            return status
        wanted = "a TCP port" if self._port == 0 else f"port {self._port}"
        has = f"port {status.port}" if status.port else "only its socket"
        raise ServerError(
            f"Expected the server of {self.data_dir} to have {wanted}, and it runs with {has}: stop it with "
            "`bridge db stop` and start it again, or use it as it is."
        )

    def _bring_up(self, account: Account) -> None:
        """Wait for a server that is starting, stopping or recovering, and launch one where there is none."""
        deadline = time.monotonic() + _PATIENCE
        while not self.status().running:
            holder = self._postmaster()
            if holder is None or not holder.holds(self._folder.pgdata):
                launch(self._folder, account, port=self._port, settings=self._settings)
                continue
            if time.monotonic() > deadline or (holder.ready and not holder.socket.exists()):
                raise ServerError(
                    f"The server of {self.data_dir} (process {holder.pid}) runs and does not answer on "
                    f"{holder.socket}: stop it with `bridge db stop`, and see {self._folder.log}."
                )
            time.sleep(_POLL)

    def _ensure_database(self) -> None:
        postmaster = self._postmaster()
        if postmaster is None:
            return
        try:
            with postmaster.session(patience=_PATIENCE) as session:
                if not session.query(f"select 1 from pg_database where datname = '{DATABASE}'"):  # noqa: S608
                    # template0, because a connection to template1 would be in the way
                    session.query(f"create database {DATABASE} template template0")
        except wire.RefusedError as refused:
            kind = DiskFull if refused.sqlstate == wire.DISK_FULL else ServerError
            raise kind(f"No database `{DATABASE}` could be made in {self.data_dir}: {refused.message}") from refused
        except OSError as error:
            raise ServerError(f"The server of {self.data_dir} went away ({error}): see {self._folder.log}.") from error

    def _bring_down(self, mode: str) -> bool:
        postmaster = self._postmaster()
        if postmaster is None:
            return False
        alive = self._is_alive(postmaster)
        if alive:
            self._signal(postmaster, mode)
            self._await_end(postmaster, mode)
        if postmaster.is_of(self._folder.pgdata):
            discard(postmaster.socket_dir)
        return alive

    def _postmaster(self) -> Postmaster | None:
        with self._folder.told():
            return Postmaster.read(self._folder.pgdata)

    def _is_alive(self, postmaster: Postmaster) -> bool:
        """Return whether the process is there; it may hold its data without answering."""
        return postmaster.holds(self._folder.pgdata) or self.status().running

    def _signal(self, postmaster: Postmaster, mode: str) -> None:
        try:
            postmaster.signal(mode)
        except ProcessLookupError:  # it has just ended by itself
            return
        except PermissionError as error:
            raise ServerError(
                f"The server of {self.data_dir} (process {postmaster.pid}) belongs to another user: stop it as "
                "that user."
            ) from error

    def _await_end(self, postmaster: Postmaster, mode: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while self._is_alive(postmaster):
            if time.monotonic() > deadline:
                raise ServerError(
                    f"The server of {self.data_dir} (process {postmaster.pid}) did not stop within "
                    f"{_PATIENCE:.0f} s of a {mode} stop: it may be waiting for clients; try --mode fast, or "
                    f"see {self._folder.log}."
                )
            time.sleep(_POLL)
