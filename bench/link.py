"""What one link between two nodes carries, encrypted, and what that costs: bench/link-run, two processes that the kernel
places."""

import json
import subprocess

import registry
import serving

SECONDS = 3
HEAD = ("", "posts said in a turn", "in flight", "messages/s", "MB/s of text", "CPU us, both ends")


def row(case):
    return (f"{case['text']:,} bytes", str(case["turn"]), f"{case['in_flight']:,}", f"{case['messages_per_s']:,.0f}",
            f"{case['mb_per_s']:.1f}", f"{case['cpu_us']:.2f}")


def run(options):
    said = subprocess.run([str(options.build / "bench" / "link-run"), str(options.seconds or SECONDS)], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if said.returncode:
        raise serving.Failed(f"link-run ended with {said.returncode}")
    cases = [json.loads(line) for line in said.stdout.splitlines()]
    return registry.Outcome([HEAD] + [row(case) for case in cases], [], raw={"cases": cases})


registry.add(registry.Scenario("nodes-link", "one link between two nodes: messages, bytes and CPU of both ends", run))
