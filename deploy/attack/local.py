"""Rows that do not apply to this version, each with its reason."""

from tacita.deploy.attack.case import skip

RECOVERY = "a session does not survive a crash of its node in this version: nothing is resumed"
STORAGE = "on the machine of one honest node; files that others can read are refused (tests/keygen/test_keyfile.py)"
CLOCK = "deadlines run on each node's own monotonic clock; tacita doctor compares the clocks"
ECONOMIC = "an economic limit, not an attack on the protocol: no report on it is built"
GADGETS = "the plan `encrypted`, with steps on ciphertexts, is not built"

skip("A28", "wrong local update", "I InvalidProof", GADGETS)
skip("A45", "kill -9 at every step", "P", RECOVERY)
skip("A46", "rollback of the journal", "R RollbackDetected", RECOVERY)
skip("A47", "torn or corrupt journal", "R StorageCorrupt", RECOVERY)
skip("A48", "disk full", "R StorageFull", RECOVERY)
skip("A49", "key file that others can read", "R InsecureKeyFile", STORAGE)
skip("A50", "one identity started twice", "R DuplicateInstance", RECOVERY)
skip("A51", "clock skew", "P", CLOCK)
skip("A58", "false-name bids", "E", ECONOMIC)
skip("A59", "collusion, shill bids, default", "E", ECONOMIC)
skip("A60", "poisoned price history", "E", ECONOMIC)
skip("A64", "unbounded operand of gadget 1", "I RangeViolation", GADGETS)
skip(
    "A82",
    "flipped view of a Boolean comparison",
    "P",
    "comparisons are computed in the field and have no Boolean views",
)
