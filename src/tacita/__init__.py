"""Tacita: private auctions and monetary policy with a certificate that anyone can check.

The command line (`tacita`) is the usual way in. From Python, certificates can be checked and terms completed.
"""

from tacita.protocols.faults import CallerMistake, TacitaError, VerificationFailed
from tacita.protocols.policies.registry import complete_terms
from tacita.protocols.roster import Roster
from tacita.protocols.terms import Terms
from tacita.protocols.verify import Verified, verify

__all__ = [
    "CallerMistake",
    "Roster",
    "TacitaError",
    "Terms",
    "VerificationFailed",
    "Verified",
    "complete_terms",
    "verify",
]
