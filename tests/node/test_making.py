"""What a node says about its work with a key while it lasts."""

from tacita.cli.ceremony_display import progress_sentence
from tacita.node.keys import Making
from tacita.protocols.party import Event


def test_a_running_search_tells_candidates_survivors_and_the_expected_rest() -> None:
    now, passed = [100.0], []
    making = Making("ceremony", passed.append, lambda: now[0])
    assert (making.progress().stage, making.progress().expected_seconds) == ("meet", 0.0)
    events = [Event("meet"), Event("survivors", 60), Event("candidates", 256, 5120)]
    for event in events:
        making.note(event)
        now[0] += 1.0
    assert passed == events
    told = making.progress()
    assert (told.candidates, told.survivors, told.expected_candidates, told.seconds) == (256, 60, 5120, 3.0)
    assert told.expected_seconds == 2.0 / 256 * 5120
    fields = {field.name: getattr(told, field.name) for field in told.DESCRIPTOR.fields}
    assert "256 candidates tried, 60 tested, about 40 s left (5120 candidates expected)" in progress_sentence(**fields)
    making.note(Event("key"))
    assert making.progress().expected_seconds == 0.0


def test_another_epoch_counts_from_zero() -> None:
    now = [0.0]
    making = Making("ceremony", lambda _: None, lambda: now[0])
    for event in (Event("meet"), Event("survivors", 5), Event("candidates", 256, 512), Event("interrupted")):
        making.note(event)
    now[0] = 50.0
    for event in (Event("meet"), Event("survivors", 7)):
        making.note(event)
    now[0] = 51.0
    making.note(Event("candidates", 256, 512))
    told = making.progress()
    assert (told.candidates, told.survivors, told.seconds, told.expected_seconds) == (256, 7, 51.0, 2.0)
