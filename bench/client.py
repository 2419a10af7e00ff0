"""A client that asks at a fixed rate, whatever the answers: python -m bench.client PORT HOST RATE.

It prints a line whenever the body changes to one that it has not seen (`seen TIME BODY`) and for
every request that failed (`failed TIME WHY`), and at the end, when its standard input closes,
`asked COUNT`. Times are CLOCK_MONOTONIC, the same for all processes. Nine requests in ten reuse a
connection; nothing is ever retried.
"""

import asyncio
import sys
import time

ANSWER_SECONDS = 30
FRESH_EVERY = 10

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Client:
    def __init__(self, port: int, host: str) -> None:
        self.port = port
        self.request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self.idle: list[Connection] = []
        self.seen: set[str] = set()
        self.asked = 0

    async def ask(self) -> None:
        """One request. It failed unless a complete 200 came."""
        self.asked += 1
        try:
            body = await asyncio.wait_for(self._answer(), ANSWER_SECONDS)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            report("failed", repr(error))
            return
        if body not in self.seen:
            self.seen.add(body)
            report("seen", body)

    async def _answer(self) -> str:
        reusing = self.idle and self.asked % FRESH_EVERY
        reader, writer = (
            self.idle.pop() if reusing else await asyncio.open_connection("127.0.0.1", self.port)
        )
        try:
            writer.write(self.request)
            status, length, keep = head(await reader.readuntil(b"\r\n\r\n"))
            body = (await reader.readexactly(length)).decode()
            if status != 200:
                raise ValueError(f"status {status}: {body[:80]!r}")
        except BaseException:
            writer.close()
            raise
        if keep:
            self.idle.append((reader, writer))
        else:
            writer.close()
        return body


def head(block: bytes) -> tuple[int, int, bool]:
    """Status, length of the body, and whether the connection stays open."""
    first, *lines = block.decode("latin-1").split("\r\n")
    fields = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    return int(first.split()[1]), int(fields["content-length"]), fields.get("connection") != "close"


def report(what: str, text: str) -> None:
    print(what, time.monotonic(), text, flush=True)


async def main(port: int, host: str, rate: float) -> None:
    client, tasks = Client(port, host), set()
    stopped = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    due = time.monotonic()
    while not stopped.done():
        task = asyncio.create_task(client.ask())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        due += 1 / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await asyncio.gather(*tasks)
    report("asked", str(client.asked))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
