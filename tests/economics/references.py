"""The reference instances of economics.md section 2.5: files and exact results."""

from dataclasses import replace
from fractions import Fraction as F

from tests.economics.generator import Files

A1 = Files(
    {
        "policy": "auction",
        "auction": {"slots": 1, "cost": {"linear": [1.0], "quadratic": 0.5}, "supply_max": 100.0},
        "bounds": {"value": [0.0, 20.0], "slope": [0.5, 5.0], "quantity": [0.0, 10.0]},
        "solver": {"iterations": 40},
    },
    "bidder,slot,value,slope,min,max\na,1,10,1,0,6\nb,1,8,2,0,3\nc,1,6,4,0,2",
)
A1_PRICE, A1_WELFARE, A1_SUPPLY = F(14, 3), F(92, 3), F(22, 3)
A1_ALLOCATION = {"a": [F(16, 3)], "b": [F(5, 3)], "c": [F(1, 3)]}
A1_CLARKE = {"a": F(1952, 99), "b": F(860, 117), "c": F(97, 63)}
A1_PAPER = {"a": 27.9444444444, "b": 26.3888888889, "c": 28.1111111111}

_SLOPES = ["1 1 1 1", "2 1 2 1", ".5 .5 1 1", "1.5 1.5 1.5 1.5", "4 3 2 1"]
_VALUES = ["10 9 8 7", "8 8 8 8", "5 6 7 8", "12 3 12 3", "9 9 9 9"]
_LEAST = ["0 0 0 0", "0 0 0 0", ".5 .5 0 0", "0 0 0 0", "0 .25 0 .25"]
_MOST = ["5 5 5 5", "3 4 3 4", "6 6 6 6", "4 4 4 4", "2 2 3 4"]
A2 = Files(
    {
        "policy": "auction",
        "auction": {
            "slots": 4,
            "cost": {"linear": [1.0, 1.2, 0.8, 1.0], "quadratic": 0.2},
            "supply_max": 9.0,
            "cumulative_max": [11.5, 19.0, 24.5, 30.0],
        },
        "bounds": {"value": [0, 20], "slope": [0.5, 5], "quantity": [0, 10], "minimum": [0, 0.5]},
        "solver": {"iterations": 60, "gap": 0.05},
    },
    "\n".join(
        [
            "bidder,slot,value,slope,min,max",
            *(
                f"{name},{t + 1},{','.join(table[i].split()[t] for table in (_VALUES, _SLOPES, _LEAST, _MOST))}"
                for i, name in enumerate("abcde")
                for t in range(4)
            ),
        ]
    ),
    "bidder,quantity\na,12\nb,9\nc,10\nd,7\ne,8",
)
A2_WELFARE, A2_COST = 182.820336912690, 52.489883874065
A2_PRICE = [6.557597657148, 6.219259016963, 6.275251841214, 6.234211050859]
A2_SUPPLY = [8.680088828012, 5.988395627086, 8.268359748338, 7.063155796564]
A2_ALLOCATION = {
    "a": [3.442402342852, 2.780740983037, 1.724748158786, 0.765788949141],
    "b": [0.721201171426, 1.780740983037, 0.862374079393, 1.765788949141],
    "c": [0.5, 0.5, 0.724748158786, 1.765788949141],
    "d": [3.405884728022, 0, 3.594115271978, 0],
    "e": [0.610600585713, 0.926913661012, 1.362374079393, 2.765788949141],
}
A2_CLARKE = {
    "a": 49.580548673170,
    "b": 30.560750121705,
    "c": 21.237369674668,
    "d": 41.593499020592,
    "e": 33.716451482806,
}

A3_WEIGHT = {name: [2 * float(b) for b in _VALUES[i].split()] for i, name in enumerate("abcde")}
A3_SHIFT = {name: [s] * 4 for name, s in zip("abcde", (1, 2, 0.5, 1.5, 1), strict=True)}
A3_WELFARE = 242.481109849
A3_ALLOCATION = {
    "a": [2.275705109, 2.055684869, 1.679844933, 1.435311595],
    "b": [0.620564087, 0.716164328, 0.679844933, 0.783213251],
    "c": [1.137852554, 1.537123246, 1.844864316, 2.283213251],
    "d": [2.43084613, 0, 2.519767399, 0],
    "e": [1.918484097, 2, 1.983825456, 2.097690446],
}

_STEP_PRICES = {"a": ["9 5 2", "8 4 1"], "b": ["7 6 5", "7 3 2"], "c": ["10 4 3", "5 4.5 1.5"]}
_STEP_PRICES |= {"d": ["6.5 3.5 .5", "9.5 2.5 1"]}
_STEP_WIDTHS = {"a": "1 2 3", "b": "2 2 2", "c": "1.5 1.5 1", "d": "2 1 2"}
A4 = Files(
    {
        "policy": "auction",
        "auction": {"slots": 2, "cost": {"linear": 1.0, "quadratic": 0.4}, "supply_max": [8.0, 5.0]},
        "bounds": {"value": [0, 20], "quantity": [0, 10]},
        "solver": {"method": "table"},
    },
    "\n".join(
        [
            "bidder,slot,price,quantity",
            *(
                f"{name},{t + 1},{price},{width}"
                for name, slots in _STEP_PRICES.items()
                for t in range(2)
                for price, width in zip(slots[t].split(), _STEP_WIDTHS[name].split(), strict=True)
            ),
        ]
    ),
)
A4_WELFARE, A4_SUPPLY, A4_PRICE = 70.2, [8.0, 5.0], [6.0, 5.0]
A4_ALLOCATION = {"a": [1, 1], "b": [3.5, 2], "c": [1.5, 0], "d": [2, 2]}


def changed(files: Files, lines: tuple[str, str] = ("", ""), **auction: object) -> Files:
    """The instance with a piece of its inputs and keys of its [auction] section replaced."""
    tree = {**files.tree, "auction": {**files.tree["auction"], **auction}}
    return replace(files, tree=tree, lines=files.lines.replace(*lines) if lines[0] else files.lines)


def bounded(files: Files, **bounds: object) -> Files:
    """The instance with keys of its [bounds] section replaced."""
    return replace(files, tree={**files.tree, "bounds": {**files.tree["bounds"], **bounds}})


A1_LOSER = changed(A1, ("c,1,6,4", "c,1,2,4"))
A1_LOSER_CLARKE = {"a": 18.9224489796, "b": 7.3469387755, "c": 0.0}
A1_MINIMUM = bounded(changed(A1, ("c,1,6,4,0,2", "c,1,6,4,1.5,2")), minimum=[0, 2])
A1_MINIMUM_CLARKE = {"a": 20.0, "b": 7.125, "c": 7.1785714286}
