"""Reads a report of Autobahn's test suite: its figures, and failure unless all is well.

How a case went and how its connection was closed are two verdicts; both count.
"""

import collections
import json
import sys

PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}


def key(case):
    return [int(part) for part in case.split(".")]


def main(path):
    with open(path, encoding="utf-8") as file:
        agents = json.load(file)
    if len(agents) != 1:
        sys.exit(f"{path}: one agent was expected, not {sorted(agents)}")
    ((agent, cases),) = agents.items()
    verdicts = collections.defaultdict(list)
    failed = []
    for case in sorted(cases, key=key):
        result = cases[case]
        verdicts[result["behavior"]].append(case)
        if result["behavior"] not in PASSED or result["behaviorClose"] not in PASSED:
            failed.append(f"{case}: {result['behavior']}, closed {result['behaviorClose']}")
    figures = ", ".join(f"{len(verdicts[name])} {name}" for name in sorted(verdicts))
    print(f"figure V1: {agent}: {len(cases)} cases: {figures}")
    for name in ("NON-STRICT", "INFORMATIONAL"):
        if verdicts[name]:
            print(f"  {name}: {' '.join(verdicts[name])}")
    hold("every case is OK, NON-STRICT or INFORMATIONAL", failed or not cases, failed)


def hold(title, fails, details):
    if fails:
        sys.exit(f"not so: {title}\n  " + "\n  ".join(details))


main(sys.argv[1])
