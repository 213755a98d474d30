"""tno.mpc.protocols.distributed_keygen under our stop-watch: `python distributed_keygen.py INDEX BITS PORT PORT PORT`.

Runs in an environment of its own and imports nothing of Tacita: one of three parties, as in the library's README, with
its default parameters (threshold 1, batches of 100 candidates), over HTTP on this machine. After every batch it prints
one JSON line: candidates tried so far, wall and CPU seconds since the first batch began. It goes on until it is ended;
if a modulus is found meanwhile, it looks for another one.
"""

import asyncio
import json
import sys
import time
import warnings
from importlib.metadata import version
from typing import Any

from tno.mpc.communication import Pool
from tno.mpc.protocols.distributed_keygen import DistributedPaillier

PACKAGE = "tno.mpc.protocols.distributed_keygen"


class Counting(DistributedPaillier):
    """Counts batches where they begin: the batch before is done by then."""

    candidates = 0
    begun: tuple[float, float] | None = None

    @classmethod
    async def _generate_pq(cls, *args: Any, batch_size: int = 1, **settings: Any) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        if Counting.begun is None:
            Counting.begun = wall, cpu
        else:
            spent = {"wall": wall - Counting.begun[0], "cpu": cpu - Counting.begun[1]}
            print(json.dumps({"candidates": Counting.candidates, **spent}), flush=True)
        Counting.candidates += batch_size
        return await super()._generate_pq(*args, batch_size=batch_size, **settings)


async def main(index: int, bits: int, ports: list[int]) -> None:
    """Search until somebody ends this process."""
    warnings.simplefilter("ignore")
    print(json.dumps({"version": version(PACKAGE)}), flush=True)
    pool = Pool()
    pool.add_http_server(ports[index], "127.0.0.1")
    for other, port in enumerate(ports):
        if other != index:
            pool.add_http_client(f"party{other}", "127.0.0.1", port)
    while True:
        await Counting.from_security_parameter(pool, key_length=bits)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), [int(port) for port in sys.argv[3:]]))
