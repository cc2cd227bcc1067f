"""BGL409: synchronous network clients on the event loop."""

from __future__ import annotations

from bglint.index.blocking import BlockingPath
from bglint.index.sinks import instead_of
from bglint.rules.base import Candidate
from bglint.rules.blocking._shared import BlockingRule


class BlockingNetworkClient(BlockingRule):
    """Report synchronous network clients other than HTTP's in async code, used directly or through sync helpers.

    ## What it does
    Finds calls that talk to a server inside an `async def`: smtplib, ftplib, imaplib, paramiko, blocking sockets and
    name look-ups, boto3 and botocore, the synchronous Google and Azure clients, kafka-python, confluent-kafka, pika,
    the synchronous clients of language models (`openai.OpenAI`, `anthropic.Anthropic`, ...), minio, docker, kubernetes,
    LDAP. A call of a sync helper counts when the helper reaches such a call, through any number of functions and files;
    the report shows the way there.

    Silent: the asynchronous twins (`AsyncOpenAI`, aioboto3, aiosmtplib, aiokafka, `azure....aio`), calls that only
    prepare (`generate_presigned_url`, `bucket.blob(...)`), unknown gRPC stubs, and calls in threads.

    ## Why is this bad?
    All requests of a worker share one event loop, and the loop waits while this call does: with an operation of one
    second, another request that needs nothing was measured to take 0.87 to 0.89 seconds; in a thread or a `def` route,
    0.03 to 0.05.
    A language model that answers after half a minute stops every other request for half a minute.

    ## Example
    ```python
    from openai import OpenAI

    client = OpenAI()

    async def answer(question: str):
        return client.responses.create(model="gpt-5", input=question)
    ```

    ## Use instead
    ```python
    from openai import AsyncOpenAI

    client = AsyncOpenAI()

    async def answer(question: str):
        return await client.responses.create(model="gpt-5", input=question)
    ```

    Or, where there is no asynchronous client, a sync function that is awaited with `asyncio.to_thread`.

    ## Fix safety
    No fix is offered: a conversation with a server is several calls on one connection, which must stay together. Move
    the whole exchange into a function and await that with `asyncio.to_thread`.

    ## References
    - [Python: running in threads](https://docs.python.org/3/library/asyncio-task.html#running-in-threads)
    - [FastAPI: concurrency and async / await](https://fastapi.tiangolo.com/async/)
    """

    code, name = "BGL409", "blocking-network-client"
    kind = "network"

    def direct(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong with a call that blocks by itself, in one sentence."""
        other = instead_of(path.sink.name)
        way_out = (
            f"`{other}` or `asyncio.to_thread`" if other and other != "asyncio.to_thread" else "`asyncio.to_thread`"
        )
        return (
            f"{self.called(path, candidate)} blocks the event loop: every other request and task waits for the other "
            f"side; use {way_out}"
        )
