"""What a stranger can check of a fault's evidence: signed broadcasts of a batch, read as every node reads them.

All messages of a batch carry one label, which honest nodes use for one place only; what came after an interruption
(`audit`, or S8 and later) carries a second one. Nothing is taken from the accuser but bytes that others signed.
"""

from collections import Counter
from collections.abc import Callable

from tacita.crypto.encoding import Reader
from tacita.crypto.errors import CryptoError, InvalidEncoding, InvalidKey
from tacita.protocols.channel import open_signed
from tacita.protocols.faults import Evidence, PeerRefused, ProtocolFault
from tacita.protocols.keygen.audit import check_public_factor
from tacita.protocols.keygen.blame import Blame
from tacita.protocols.keygen.certificate import check_signatures
from tacita.protocols.keygen.final_audit import open_winner
from tacita.protocols.keygen.final_view import HEADER, PRIVATE, FinalView
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.statements import Place
from tacita.protocols.keygen.talk import CHECK, Record
from tacita.protocols.keygen.view import View, private_steps, steps
from tacita.protocols.roster import Roster


def verdict(parameters: Parameters, roster: Roster, evidence: object) -> ProtocolFault | None:
    """The fault that the evidence proves, or None: then it proves nothing."""
    if not isinstance(evidence, Evidence) or evidence.check != CHECK:
        return None
    try:
        record = read(parameters, roster, evidence)
        replay(parameters, roster, record)
    except Blame as blame:
        return blame.fault(roster, evidence)
    except (CryptoError, PeerRefused, KeyError, IndexError):
        return None
    return None


def read(parameters: Parameters, roster: Roster, evidence: Evidence) -> Record:
    """Check signatures and labels; refuses a mixture of batches (raises CryptoError or PeerRefused)."""
    record, labels = Record(), dict[bool, bytes]()
    early = {*steps(parameters), *(f"{step}/private" for step in private_steps(parameters))}
    for data in evidence.signed:
        envelope, _ = open_signed(data, roster)
        if labels.setdefault(envelope.round in early, envelope.session) != envelope.session:
            raise InvalidEncoding("the evidence mixes messages of several batches")
        said = record.said.get(envelope.round, {})
        if roster.index(envelope.sender) + 1 in said:
            raise InvalidEncoding("the evidence holds a message twice")
        record.add(envelope, data, roster)
    return record


def replay(parameters: Parameters, roster: Roster, record: Record) -> None:
    """Read every complete step in order; returns if nobody is to blame."""
    everybody = set(parameters.everyone)
    complete = {step for step, said in record.said.items() if set(said) == everybody}
    if "S1" not in complete:
        raise InvalidEncoding("the evidence does not say which batch it is about")
    for step in set(record.said) - complete:
        del record.said[step]
    places = Counter(data[:40] for data in record.said["S1"].values())
    view = View(parameters, Place.read(Reader(places.most_common(1)[0][0], "a place")), record)
    _ = view.announced
    view.roots()
    for (name, sender, receiver), payload in record.told.items():
        step = name.removesuffix("/private")
        if step in private_steps(parameters):
            view.private(private_steps(parameters).index(step), sender, receiver, payload)
    if "S4" in complete:
        _ = view.openings
    if "S5" in complete:
        _ = view.survivors
    if "S7" in complete:
        winner = view.winner
        if winner is not None:
            check_public_factor(view.tested, winner)
        if "S7b" in complete:
            view.agreed()
    if "S9" in complete:
        view.audit(record.said["S9"], view.winner)
    if "audit" in complete:
        audited = Counter(data[:40] for data in record.said["audit"].values()).most_common(1)[0][0]
        if audited != view.place.encode():
            raise InvalidEncoding("the evidence mixes messages of several batches")
        view.audit_interrupted(record.said["audit"])
    if HEADER in complete:
        _replay_final(parameters, roster, view, record, complete)


def _replay_final(parameters: Parameters, roster: Roster, view: View, record: Record, complete: set[str]) -> None:
    header = Counter(data[:-64] for data in record.said[HEADER].values()).most_common(1)[0][0]
    reader = Reader(header, "a header")
    place, index = Place.read(reader), reader.unsigned(4)
    final = FinalView(parameters, place, index, reader.unsigned(parameters.modulus_width), record)
    if (place.session, place.batch) != (view.place.session, view.place.batch):
        raise InvalidEncoding("the evidence mixes messages of several batches")
    _ = final.seeds
    readings: dict[str, Callable[[FinalView], object]] = {
        "S8 coin": lambda view: view.coin,
        "S8 open": lambda view: view.factors,
        "K0 open": lambda view: view.small_openings,
        "K2 open": lambda view: view.theta_parts,
        "K4 open": lambda view: view.verification,
    }
    for step, reading in readings.items():
        if step in complete:
            _ = reading(final)
    for (name, sender, receiver), payload in record.told.items():
        step = name.removesuffix("/private")
        if step in PRIVATE:
            final.private(step, sender, receiver, payload)
    if "K5" in complete:
        try:
            key = final.key()
            final.check_decryptions(key)
        except InvalidKey:
            return
        if "K6" in complete:
            check_signatures(final.certificate(key, roster), roster, record.said["K6"])
    if "open" in complete:
        said = record.said["open"]
        open_winner(view, final, said)
