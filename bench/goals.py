"""The goals, and whether they are met."""

import json
import os
from typing import NamedTuple

from figures import FIGURES, cost_key
from scenarios import SCEN
from table import num

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goals.json")


class Verdict(NamedTuple):
    scenario: str
    peer: str
    figure: str
    limit: str
    reached: str
    verdict: str  # "met", "missed", or why neither


def read(file=FILE):
    with open(file) as f:
        goals = json.load(f)
    for goal in goals["goals"]:
        goal.setdefault("figure", cost_key(goal["scenario"]))
        if goal["figure"] not in FIGURES or ("most" in goal) == ("times" in goal):
            raise ValueError(f"not a goal: {goal}")
    return goals


def scenarios(goals):
    return [x["scenario"] for x in goals["goals"]]


def decide(reached, limit):
    return "no figure" if reached is None else "met" if reached <= limit else "missed"


def absolute(results, goal, peer):
    figure = FIGURES[goal["figure"]]
    x = results.get(goal["scenario"], peer, goal["figure"])
    return (
        f"≤ {num(goal['most'], figure.digits)} {figure.unit}",
        "-" if x is None else f"{num(x, figure.digits)} {figure.unit}",
        decide(x, goal["most"]),
    )


def relative(results, goal, peer):
    sc, key = goal["scenario"], goal["figure"]
    if "of" in goal:
        other, name = peer, FIGURES[goal["of"]].title
    else:
        other = results.floor(sc)
        name = other or "floor"
    x = results.ratio(sc, peer, key, other, goal.get("of")) if other else None
    limit = f"≤ {goal['times']:.2f} x {name}"
    verdict = decide(x, goal["times"]) if other else "no floor was run"
    return limit, "-" if x is None else f"{x:.2f} x", verdict


def judge(results, goal, peer):
    kind = absolute if "most" in goal else relative
    return Verdict(goal["scenario"], peer, goal["figure"], *kind(results, goal, peer))


def verdicts(results, goals, scens):
    """One for each goal and each peer that has it, of the scenarios that were run."""
    out = []
    for goal in goals["goals"]:
        for peer in goals["peers"]:
            if goal["scenario"] in scens and peer in results.names:
                out.append(judge(results, goal, peer))
    rule = goals["everywhere"]
    if rule["peer"] in results.names and rule["of"] in results.names:
        able = [sc for sc in scens if results.serves(sc, rule["peer"])]
        # What a slow reader costs is a limit that is kept, not a cost.
        out += [everywhere(results, rule, sc) for sc in able if SCEN[sc].kind != "slow"]
    return out


def everywhere(results, rule, sc):
    key = cost_key(sc)
    x = results.ratio(sc, rule["peer"], key, rule["of"])
    limit = f"≤ {rule['times']:.2f} x {rule['of']}"
    reached = "-" if x is None else f"{x:.2f} x"
    return Verdict(sc, rule["peer"], key, limit, reached, decide(x, rule["times"]))


def limits(results, goals):
    """What at most is wanted, in the figure's unit: {(scenario, figure): {peer: limit}}."""
    out = {}
    for goal in goals["goals"]:
        sc, key = goal["scenario"], goal["figure"]
        for peer in goals["peers"]:
            of = peer if "of" in goal else results.floor(sc)
            x = results.get(sc, of, goal.get("of", key))
            limit = goal["most"] if "most" in goal else x and x * goal["times"]
            out.setdefault((sc, key), {})[peer] = limit
    return out


def table(results, all_verdicts):
    counts = [sum(v.verdict == x for v in all_verdicts) for x in ("met", "missed")]
    out = [
        f"### Goals: {counts[0]} met, {counts[1]} missed,"
        f" {len(all_verdicts) - sum(counts)} without a figure",
        "",
        "| scenario | peer | figure | value | spread | goal | reached | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for v in all_verdicts:
        figure = FIGURES[v.figure]
        value = num(results.get(v.scenario, v.peer, v.figure), figure.digits)
        spread = results.spread(v.scenario, v.peer, v.figure)
        mark = results.mark(v.scenario, v.peer)
        why = results.refused(v.scenario, v.peer) if v.verdict == "no figure" else None
        verdict = f"**{v.verdict}**" if v.verdict == "missed" else why or v.verdict
        out.append(
            f"| {v.scenario} | {v.peer} | {figure.title} | {value} {figure.unit}{mark} |"
            f" {'-' if spread is None else f'{spread:.0f} %'} | {v.limit} | {v.reached} | {verdict} |"
        )
    return "\n".join(out) + "\n"
