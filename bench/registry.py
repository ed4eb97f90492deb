"""The scenarios of bench/run, by name. A module of scenarios (fanout.py is one) puts its own in:

    registry.add(registry.Scenario("X", "what it does, in a line", run))

and is named in bench/run's MODULES. `run(options)` measures and returns an Outcome; options are those of the
command line, to which a module adds by a function `add_options(parser)` of its own, if it has one."""

import argparse
import dataclasses
import statistics
import typing

SCENARIOS = {}  # name -> Scenario, in the order in which they are listed


@dataclasses.dataclass
class Bar:
    """A figure that has to be reached: at least (or at most) the bound."""
    what: str
    value: float
    bound: float
    at_most: bool = False
    unit: str = ""

    def met(self):
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def row(self):
        relation, digits = "<=" if self.at_most else ">=", 0 if self.bound >= 100 else 2
        return (self.what, f"{self.value:,.{digits}f}{self.unit}", f"{relation} {self.bound:,g}{self.unit}",
                "met" if self.met() else "NOT MET")


def median(bars):
    """The same bar measured several times, as one."""
    return dataclasses.replace(bars[0], value=statistics.median(bar.value for bar in bars))


def bar_rows(bars):
    """A table of them."""
    return [("", "is", "must be", "")] + [bar.row() for bar in bars]


@dataclasses.dataclass
class Plot:
    title: str
    x: str
    panels: list  # (label of y, name -> [(x, y)]) each
    is_log: bool = None  # of x; None: by its values


@dataclasses.dataclass
class Outcome:
    rows: list                 # of equally many cells each, the first row is the table's head
    faults: list               # what must not be, a line each: lost, doubled, not connected, ...
    bars: list = dataclasses.field(default_factory=list)
    raw: dict = dataclasses.field(default_factory=dict)  # what the rows were made of, as it goes to JSON
    plot: Plot = None


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    text: str
    run: typing.Callable  # options -> Outcome


def add(scenario):
    assert scenario.name not in SCENARIOS, scenario.name
    SCENARIOS[scenario.name] = scenario


def named(names):
    """The same with each group, "nodes" for all of nodes-..., in full."""
    return [one for name in names
            for one in ([name] if name in SCENARIOS else [one for one in SCENARIOS if one.startswith(f"{name}-")] or [name])]


def changed(options, **changes):
    """Options with some at other values."""
    return argparse.Namespace(**(vars(options) | changes))
