"""The one table of everything that takes bytes from a peer or a stranger, with honest seeds and known bad inputs.

`reads` is what a node, a verifier or a judge calls, on its real path; where signatures or commitments stand in front,
the decoder behind them is listed as well. `arithmetic` marks those that go on to public-key operations: these cost what
the key's length costs, so their time is not bounded here. Policies have a part of the table to themselves
(policies.py).

Not listed is what only its own node or operator writes:

- identity.json, tls.json, key-share.json, the journal, an unfinished handover in `next/`: the node's own, owner only;
- the manifest of a local cluster, and what its own nodes answer to their operator (outcomes, progress): one machine;
- the job and the result between a node and its engine's process. What a peer puts into them went through the readers
  here before (terms, patterns, shares), and engine bytes are listed as the engine takes them (engine/…);
- the data of the examples and of `tacita model`, which come with the package, and the scripts in examples/ and
  deploy/bench, which read files that they made or that their caller downloads.

No file holds NumPy arrays or anything else that a library would have to parse; a TLS certificate is parsed by gRPC
before a node's code runs, and by `cryptography` where an admission is stored (file/admission).
"""

import sys

from tests.fuzz.ceremonies import CEREMONIES
from tests.fuzz.decoder import Decoder
from tests.fuzz.policies import POLICIES
from tests.fuzz.sessions import CRYPTO, SESSIONS
from tests.fuzz.strangers_files import FILES, HANDOVERS
from tests.fuzz.wire import WIRE

sys.setrecursionlimit(100_000)  # as py_ecc does when a signature is first checked

DECODERS: dict[str, Decoder] = {
    d.name: d for d in (*SESSIONS, *CRYPTO, *WIRE, *CEREMONIES, *FILES, *HANDOVERS, *POLICIES)
}
