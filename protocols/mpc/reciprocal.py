"""Division by a secret: the reciprocal by Newton's method, with a fixed, public number of steps."""

import numpy as np

from tacita.protocols.faults import CallerMistake
from tacita.protocols.mpc.engine import Engine, Secret


async def reciprocal(engine: Engine, a: Secret, scale: int) -> Secret:
    """1/a at `scale`, for 0 < a.lo ≤ a: Newton's y ← y(2 − z·y) with a fixed, public number of steps."""
    if a.lo <= 0:
        raise CallerMistake("a reciprocal needs a positive public lower bound; raise the bound in the terms")
    shift = a.hi.bit_length()  # z = a/2^shift in (0, 1]
    target, scale = scale, scale + min(16, shift - a.lo.bit_length()) + 2  # guard bits for a large 1/z
    z = await engine.trunc(a.as_scale(shift), shift - scale) if shift > scale else a.as_scale(shift).rescaled(scale)
    z = engine.within(z, max(1, z.lo), z.hi)
    low = z.lo / (1 << scale)
    start, error = 2 / (1 + low), (1 - low) / (1 + low)
    y = engine.public(np.full(a.size, round(start * (1 << scale)), dtype=object), scale)
    most = round((1 / low + 1) * (1 << scale)) + 64
    while error > 2.0 ** -(scale + 1):
        # 0 ≤ y(2 − z·y) ≤ 1/z by (1 − zy)² ≥ 0; rounding adds a few units, which `most` leaves room for.
        zy = engine.within(await engine.trunc(await engine.mul(z, y), scale), 0, (1 << (scale + 1)) + 64)
        y = await engine.trunc(await engine.mul(y, (2 << scale) - zy), scale)
        y, error = engine.within(y, 0, most), error * error
    # 1/a = y·2^(a.scale − shift), brought to the target scale.
    drop = shift - a.scale + scale - target
    result = y.as_scale(target + drop)
    return await engine.trunc(result, drop) if drop > 0 else result.rescaled(target)
