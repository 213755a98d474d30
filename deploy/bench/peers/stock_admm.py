"""The sharing ADMM of Tacita's auctions in stock MPyC: `python stock_admm.py PROBLEM -P host:port … -I index`.

Runs in the peers' own environment and imports nothing of Tacita. One process per party, as `-M3` would start them.
Everything is MPyC's own: SecFxp(64, 32) arrays, its truncations, its comparisons, its TCP connections without TLS.
Only the iterations are here: no commitments, no exact repair, no payments, no certificate. PROBLEM is a JSON file of
float arrays in normalised units (bidders × slots; a missing bid is a bid for at most 0 units). Party 0 prints one JSON
line with the allocation; every party prints its CPU and wall seconds from the end of iteration 1 to the last one, and
the wall seconds from linked parties to the opened allocation.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from mpyc.runtime import mpc


def clip(x: Any, lower: Any, upper: Any) -> Any:
    """min(max(x, lower), upper) with one batch of comparisons."""
    gap = mpc.np_stack((x - lower, upper - x))
    outside = gap < 0
    moved = outside * gap
    return x - moved[0] + moved[1]


async def iterate(problem: dict[str, Any]) -> tuple[Any, float, float, int]:
    """x after the last iteration, CPU and wall seconds of all iterations but the first."""
    number = mpc.SecFxp(64, 32)
    n, slots = np.array(problem["value"]).shape
    rho, relax = problem["penalty"], problem["relaxation"]
    members = np.array(problem["members"], dtype=float)
    gain = rho / (rho + members * np.array(problem["cost_quadratic"]))
    offset = np.array(problem["cost_linear"]) * gain / rho

    def secret(values: Any) -> Any:
        return mpc.input(number.array(np.array(values, dtype=float), integral=False), senders=0)

    def public(values: Any) -> Any:
        return number.array(np.array(values, dtype=float), integral=False)

    # 1. inputs: b/ρ, ρ/(a + ρ) and the largest quantity
    scaled, inverse, upper = (secret(problem[name]) for name in ("value", "share_inverse", "maximum"))
    zero_bids, zero, cap = public(np.zeros((n, slots))), public(np.zeros(slots)), public(problem["cap_mean"])
    x, x_mean, y_mean, u = zero_bids, zero, zero, zero
    begun_cpu, begun, sent = 0.0, 0.0, 0
    for k in range(problem["iterations"]):
        # 2. every bidder's proximal step
        centre = x - (x_mean - y_mean + u)
        x = clip((scaled + centre) * inverse, zero_bids, upper)
        # 3. means, relaxation, supply, scaled price
        x_mean = mpc.np_sum(x, axis=0) * public(1 / members)
        relaxed = x_mean * public(np.full(slots, relax)) + y_mean * public(np.full(slots, 1 - relax))
        y_mean = clip((u + relaxed) * public(gain) - public(offset), zero, cap)
        u = u + relaxed - y_mean
        if k in (0, problem["iterations"] - 1):
            await mpc.gather(x, y_mean, u)
            await mpc.barrier()
        if k == 0:
            begun_cpu, begun, sent = time.process_time(), time.perf_counter(), bytes_sent()
    return x, time.process_time() - begun_cpu, time.perf_counter() - begun, bytes_sent() - sent


def bytes_sent() -> int:
    """To all peers so far."""
    return sum(party.protocol.nbytes_sent for party in mpc.parties if party.pid != mpc.pid)


async def main() -> None:
    """Start, iterate, open the allocation."""
    problem = json.loads(Path(sys.argv[1]).read_text())
    await mpc.start()
    linked = time.perf_counter()
    x, cpu, wall, sent = await iterate(problem)
    result: dict[str, Any] = {"party": mpc.pid, "cpu": cpu, "wall": wall, "bytes": sent}
    allocation = await mpc.output(x)
    result["total"] = time.perf_counter() - linked
    if mpc.pid == 0:
        result["allocation"] = [[float(v) for v in row] for row in allocation]
    await mpc.shutdown()
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    mpc.run(main())
