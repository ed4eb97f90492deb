"""The hosts that tests/support/with_hosts made: what runs there, and what they are cut off from."""

import subprocess

BASE = "10.77.0.1"  # where tests, clients and PostgreSQL are
BOTH = ("in", "out")


class Host:
    def __init__(self, name, address):
        self.name, self.address = name, address
        self.enter = ["nsenter", f"--net=/run/netns/{name}"]  # executes, so that the process id stays

    def cut(self, addresses, ways=BOTH):
        """Drops all that comes "in" from these addresses, goes "out" to them, or both, without a word; replaces what
        was cut before."""
        rules = {"in": "type filter hook input priority 0; ip saddr {{ {} }} drop;",
                 "out": "type filter hook output priority 0; ip daddr {{ {} }} drop;"}
        chains = [f"chain {way} {{\n{rules[way].format(', '.join(addresses))}\n}}" for way in ways]
        self._nft("\n".join(["delete table inet cut", "table inet cut {", *chains, "}\n"]))

    def mend(self):
        self._nft("flush table inet cut\n")

    def _nft(self, text):
        subprocess.run([*self.enter, "nft", "-f", "-"], input=text, text=True, check=True, timeout=60)


def all_hosts():
    return [Host("one", "10.77.0.2"), Host("two", "10.77.0.3"), Host("three", "10.77.0.4")]
