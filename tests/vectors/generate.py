"""Writes the vector files: `python -m tests.vectors.generate` from the top of the repository.

Deterministic: every random choice comes from a seed, the key is the committed INSECURE one. test_vectors.py fails if
the files are not what this makes.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.vectors import basic_cases, intquad_cases, proof_cases

FOLDER = Path(__file__).parent
ALGORITHMS = {
    "transcript": basic_cases.transcript_groups,
    "hash_to_unit": basic_cases.hash_to_unit_groups,
    "encryption": basic_cases.encryption_groups,
    "knowledge": proof_cases.knowledge_groups,
    "intquad": intquad_cases.intquad_groups,
    "decryption": proof_cases.decryption_groups,
    "combine": proof_cases.combine_groups,
}

Case = tuple[str, bool, dict[str, Any]]
Group = tuple[str, dict[str, Any], Iterable[Case]]


def document(algorithm: str, groups: Iterable[Group]) -> str:
    """The text of one file: groups with common fields, tests with id, comment, result and inputs."""
    written, number = [], 0
    for comment, common, cases in groups:
        tests = []
        for case_comment, valid, fields in cases:
            number += 1
            result = "valid" if valid else "invalid"
            tests.append({"id": number, "comment": case_comment, "result": result, **fields})
        written.append({"comment": comment, **common, "tests": tests})
    whole = {
        "algorithm": algorithm,
        "comment": "Integers and bytes in hexadecimal. The key is INSECURE: its factors are public.",
        "count": number,
        "groups": written,
    }
    return json.dumps(whole, indent=0, ensure_ascii=False) + "\n"


def build() -> Iterator[tuple[str, str]]:
    """Every file name with its text."""
    for algorithm, groups in ALGORITHMS.items():
        yield f"{algorithm}.json", document(algorithm, groups())


def main() -> None:
    """Write every file."""
    for name, text in build():
        (FOLDER / name).write_text(text)
        print(f"{len(text):8} {name}")


if __name__ == "__main__":
    main()
