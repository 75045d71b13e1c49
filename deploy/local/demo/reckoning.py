"""The sum of a demo: what was sent against what the mailbox and the catcher received."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from deploy.local.demo import workload
from deploy.local.demo.workload import Arrival, Kind, Request, Way


@dataclass
class Answers:
    """What the doors answered: valid requests taken, invalid ones refused, duplicates recognised."""

    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0
    oddities: list[str] = field(default_factory=list)
    """Answers that should not have been, for people."""


@dataclass(frozen=True)
class Received:
    """What arrived: every arrival, as often as it came, and the number of digest mails."""

    arrivals: Counter[Arrival]
    digests: int

    def arrived(self, wanted: set[Arrival]) -> int:
        """How much of what must arrive has."""
        return len(wanted & self.arrivals.keys())


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The demo's last line.

    Deliveries are notifications on their way to a recipient: by webhook, by a mail of their own, or as an item of a
    digest; `digests` counts the mails that carried the latter. `seconds` go from the first request to the last arrival.
    """

    accepted: int
    rejected: int
    duplicates: int
    expected_deliveries: int
    delivered: int
    digests: int
    lost: int
    repeated: int
    seconds: float

    @property
    def complete(self) -> bool:
        """Nothing missing, nothing twice, and every request answered as it had to be."""
        answered = self.accepted + self.rejected + self.duplicates == workload.REQUESTS
        refused = self.rejected == workload.INVALID and self.duplicates == workload.DUPLICATES
        return answered and refused and self.lost == 0 and self.repeated == 0


def received(
    hooks: Mapping[str, Sequence[Mapping[str, str]]], mails: Iterable[Mapping[str, str]], sent: Sequence[Request]
) -> Received:
    """Recognise the arrivals of this run among all that mailbox and catcher hold.

    Args:
        hooks: recipient → the bodies caught for them, decoded.
        mails: the mailbox's documents.
        sent: the run's requests.
    """
    arrivals: Counter[Arrival] = Counter()
    ours = {request.token: request for request in sent if request.kind is Kind.VALID}
    for recipient, bodies in hooks.items():
        for body in bodies:
            arrivals.update(Arrival(Way.WEBHOOK, recipient, token) for token in workload.tokens(body["name"]))
    digests = 0
    for mail in mails:
        recipient = mail["to"].partition("@")[0]
        named = [token for token in workload.tokens(mail["subject"] + "\n" + mail["text"]) if token in ours]
        ways = [_mail_way(ours[token]) for token in named]
        arrivals.update(Arrival(way, recipient, token) for way, token in zip(ways, named, strict=True))
        digests += Way.DIGEST in ways
    return Received(Counter({arrival: n for arrival, n in arrivals.items() if arrival.token in ours}), digests)


def summary(answers: Answers, wanted: set[Arrival], got: Received, seconds: float) -> Summary:
    """The sums; what arrived although nobody asked for it counts as repeated."""
    return Summary(
        accepted=answers.accepted,
        rejected=answers.rejected,
        duplicates=answers.duplicates,
        expected_deliveries=len(wanted),
        delivered=got.arrived(wanted),
        digests=got.digests,
        lost=len(wanted) - got.arrived(wanted),
        repeated=got.arrivals.total() - got.arrived(wanted),
        seconds=round(seconds, 1),
    )


def _mail_way(request: Request) -> Way:
    return Way.MAIL if workload.CLASSES[request.body["class"]]["email"] == "immediate" else Way.DIGEST
