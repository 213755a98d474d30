"""Coverage-guided fuzzing of one decoder of the table, or of all one after the other, with atheris: `make fuzz`.

    python -m tests.fuzz.guided 100000 [decoder]

Half of the inputs are the structure-aware mutations of mutations.py, half are libFuzzer's own. What breaks the contract
is printed and written to out/fuzz/<decoder>/, and ends with exit code 1.
"""

import subprocess
import sys
import tracemalloc
from pathlib import Path
from random import Random  # noqa: TID251 - mutations are no secrets

import atheris

with atheris.instrument_imports(include=["tacita"]):
    from tests.fuzz import contract
    from tests.fuzz.decoders import DECODERS
    from tests.fuzz.mutations import LARGEST_INPUT, mutated

OUT = Path("out/fuzz")
ARITHMETIC_SHARE, TRACED = 50, 5
SECONDS_FACTOR = 20
"""Instrumented code is slower, so that only what is far too slow is reported here; the tests measure time exactly."""


def fuzz(name: str, runs: int) -> None:
    """Never returns: libFuzzer ends the process."""
    decoder = DECODERS[name]
    contract.SECONDS *= SECONDS_FACTOR
    seeds, folder, count = list(decoder.seeds()), OUT / name.replace("/", "_").replace(" ", "_"), [0]
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate([*seeds, *(d for d in decoder.bad if len(d) <= LARGEST_INPUT)]):
        (corpus / f"honest-{number}").write_bytes(data)

    def one(data: bytes) -> None:
        count[0] += 1
        if count[0] % TRACED == 0:
            tracemalloc.start()
        try:
            contract.check(decoder.reads, data, not decoder.arithmetic)
        finally:
            tracemalloc.stop()

    def mutate(data: bytes, largest: int, seed: int) -> bytes:
        chance = Random(seed)
        made = mutated(data, seeds, chance) if chance.random() < 0.5 else atheris.Mutate(data, largest)
        return bytes(made[:largest])

    runs = max(1, runs // ARITHMETIC_SHARE) if decoder.arithmetic else runs
    options = [
        f"-runs={runs}",
        "-seed=1",
        f"-max_len={LARGEST_INPUT}",
        f"-artifact_prefix={folder}/",
        "-rss_limit_mb=4096",
    ]
    atheris.Setup([sys.argv[0], *options, "-verbosity=0", str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()


def main() -> int:
    """One decoder in this process, or all of them in one process each."""
    runs, names = int(sys.argv[1]), sys.argv[2:]
    if names:
        fuzz(names[0], runs)
    broken = []
    for name in DECODERS:
        code = subprocess.run([sys.executable, "-m", "tests.fuzz.guided", str(runs), name], check=False).returncode
        sys.stdout.write(f"{'broken' if code else 'ok':8}{name}\n")
        sys.stdout.flush()
        broken += [name] if code else []
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
