"""BGL405: synchronous database access on the event loop."""

from __future__ import annotations

from bglint.index.blocking import BlockingPath
from bglint.index.sinks import instead_of
from bglint.rules.base import Candidate
from bglint.rules.blocking._shared import BlockingRule


class BlockingDatabase(BlockingRule):
    """Report synchronous database calls in async code, made directly or through sync helpers.

    ## What it does
    Finds calls that go to the database inside an `async def`: SQLAlchemy's and SQLModel's synchronous `Session`,
    `Connection`, `Engine` and `Query`, the Django ORM, peewee, sqlite3, psycopg, psycopg2, pymysql, MySQLdb and other
    DB-API drivers, pymongo, redis, cassandra, elasticsearch, vector stores. The session may come from a `sessionmaker`,
    a dependency (`Depends(get_db)`), an attribute or a parameter's annotation. A call of a sync helper counts when the
    helper reaches such a call, through any number of functions and files; the report shows the way there.

    Silent: what only builds a statement or marks an object (`select(...)`, `session.add`, `query.filter`), the
    asynchronous twins (`AsyncSession`, `redis.asyncio`, motor, asyncpg, aiosqlite, Django's `aget`), functions that are
    handed to `session.run_sync` or `sync_to_async`, and calls in threads.

    ## Why is this bad?
    All requests of a worker share one event loop, and the loop waits while this call does: with an operation of one
    second, another request that needs nothing was measured to take 0.87 to 0.89 seconds; in a thread or a `def` route,
    0.03 to 0.05.
    A query that waits for a row lock, or for a free connection of the pool, stops every request of the worker; where
    the one that holds the lock needs the loop to go on, it stops them for good.

    ## Example
    ```python
    from fastapi import Depends, FastAPI
    from sqlalchemy.orm import Session

    app = FastAPI()

    @app.get("/users/{user_id}")
    async def user(user_id: int, db: Session = Depends(get_db)):
        return db.get(User, user_id)
    ```

    ## Use instead
    ```python
    from fastapi import Depends, FastAPI
    from sqlalchemy.orm import Session

    app = FastAPI()

    @app.get("/users/{user_id}")
    def user(user_id: int, db: Session = Depends(get_db)):  # FastAPI runs a `def` route in a thread
        return db.get(User, user_id)
    ```

    Or an asynchronous session (`sqlalchemy.ext.asyncio.AsyncSession`), or the whole unit of work in one function that
    is awaited with `asyncio.to_thread`.

    ## Fix safety
    No fix is offered: sessions, connections and cursors belong to one thread and one transaction, so moving a single
    call of several changes what they see. Move the whole function.

    ## References
    - [FastAPI: concurrency and async / await](https://fastapi.tiangolo.com/async/)
    - [SQLAlchemy: asyncio extension](https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html)
    - [Django: asynchronous support](https://docs.djangoproject.com/en/stable/topics/async/)
    """

    code, name = "BGL405", "blocking-database"
    kind = "database"

    def direct(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong with a call that blocks by itself, in one sentence."""
        other = instead_of(path.sink.name)
        way_out = f"`{other}`" if other and other != "asyncio.to_thread" else "`asyncio.to_thread`"
        return (
            f"{self.called(path, candidate)} blocks the event loop: every other request and task waits for the "
            f"database; use {way_out}, or a plain `def` where nothing is awaited"
        )
