"""The auctions that real clusters run here: the reference instances of economics.md 2.5, and a tiny one."""

from dataclasses import dataclass
from fractions import Fraction as F
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """Input files of `tacita run` as text."""

    terms: str
    inputs: str
    budget: str | None = None

    def write(self, folder: Path) -> list[str]:
        """Write the files and return the arguments that name them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "terms.toml").write_text(self.terms)
        (folder / "inputs.csv").write_text(self.inputs)
        arguments = ["--terms", str(folder / "terms.toml"), "--inputs", str(folder / "inputs.csv")]
        if self.budget is not None:
            (folder / "budget.csv").write_text(self.budget)
            arguments += ["--budget", str(folder / "budget.csv")]
        return arguments


A1 = Sample(
    """
policy = "auction"
[auction]
slots = 1
cost = { linear = [1.0], quadratic = 0.5 }
supply_max = 100.0
[bounds]
value = [0.0, 20.0]
slope = [0.5, 5.0]
quantity = [0.0, 10.0]
[solver]
iterations = 40
""",
    "bidder,slot,value,slope,min,max\na,1,10,1,0,6\nb,1,8,2,0,3\nc,1,6,4,0,2\n",
)
A1_ALLOCATION = {"a": [F(16, 3)], "b": [F(5, 3)], "c": [F(1, 3)]}
A1_CLARKE = {"a": F(1952, 99), "b": F(860, 117), "c": F(97, 63)}
A1_WELFARE, A1_SUPPLY, A1_PRICE = F(92, 3), F(22, 3), F(14, 3)

A2 = Sample(
    """
policy = "auction"
[auction]
slots = 4
cost = { linear = [1.0, 1.2, 0.8, 1.0], quadratic = 0.2 }
supply_max = 9.0
cumulative_max = [11.5, 19.0, 24.5, 30.0]
[bounds]
value = [0.0, 20.0]
slope = [0.5, 5.0]
quantity = [0.0, 10.0]
minimum = [0.0, 0.5]
[solver]
iterations = 60
gap = 0.05
""",
    """bidder,slot,value,slope,min,max
a,1,10,1,0,5
a,2,9,1,0,5
a,3,8,1,0,5
a,4,7,1,0,5
b,1,8,2,0,3
b,2,8,1,0,4
b,3,8,2,0,3
b,4,8,1,0,4
c,1,5,0.5,0.5,6
c,2,6,0.5,0.5,6
c,3,7,1,0,6
c,4,8,1,0,6
d,1,12,1.5,0,4
d,2,3,1.5,0,4
d,3,12,1.5,0,4
d,4,3,1.5,0,4
e,1,9,4,0,2
e,2,9,3,0.25,2
e,3,9,2,0,3
e,4,9,1,0.25,4
""",
    "bidder,quantity\na,12\nb,9\nc,10\nd,7\ne,8\n",
)
A2_WELFARE = 182.820336912690
A2_ALLOCATION = {
    "a": [3.442402342852, 2.780740983037, 1.724748158786, 0.765788949141],
    "b": [0.721201171426, 1.780740983037, 0.862374079393, 1.765788949141],
    "c": [0.5, 0.5, 0.724748158786, 1.765788949141],
    "d": [3.405884728022, 0, 3.594115271978, 0],
    "e": [0.610600585713, 0.926913661012, 1.362374079393, 2.765788949141],
}

A4 = Sample(
    """
policy = "auction"
[auction]
slots = 2
cost = { linear = 1.0, quadratic = 0.4 }
supply_max = [8.0, 5.0]
[bounds]
value = [0.0, 20.0]
quantity = [0.0, 10.0]
[solver]
method = "table"
""",
    """bidder,slot,price,quantity
a,1,9,1
a,1,5,2
a,1,2,3
a,2,8,1
a,2,4,2
a,2,1,3
b,1,7,2
b,1,6,2
b,1,5,2
b,2,7,2
b,2,3,2
b,2,2,2
c,1,10,1.5
c,1,4,1.5
c,1,3,1
c,2,5,1.5
c,2,4.5,1.5
c,2,1.5,1
d,1,6.5,2
d,1,3.5,1
d,1,0.5,2
d,2,9.5,2
d,2,2.5,1
d,2,1,2
""",
)
A4_ALLOCATION = {"a": [1, 1], "b": [3.5, 2], "c": [1.5, 0], "d": [2, 2]}
A4_PRICE, A4_SUPPLY, A4_WELFARE = [6, 5], [8, 5], 70.2
# W_-i by exact enumeration of the merit order without bidder i; p_i = W_-i − (W − v_i(x_i)).
A4_CLARKE = {"a": 10.5, "b": 25.8, "c": 8.0, "d": 20.25}

# The cheapest session that still has every stage: two bidders, one slot, one step each.
TINY = Sample(
    """
policy = "auction"
[auction]
cost = { linear = 1.0, quadratic = 0.5 }
[bounds]
value = [0.0, 20.0]
quantity = [0.0, 10.0]
[solver]
method = "table"
""",
    "bidder,slot,price,quantity\nalice,1,9,2\nbob,1,7,3\n",
)


def named(sample: Sample, session: str) -> Sample:
    """The sample with a fixed session name, so that the test knows where the nodes keep its results."""
    return Sample(f'{sample.terms}[session]\nname = "{session}"\n', sample.inputs, sample.budget)
