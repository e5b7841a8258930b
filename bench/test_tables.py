#!/usr/bin/env python3
"""What the tables and plots say of runs made up here. selftest.sh runs it."""

import unittest
import xml.dom.minidom

import goals
import plot
from figures import FIGURES, DRAWN, Results, refusal
from scenarios import SCEN, SIZES
from table import Table

CONTRACTS = {
    "sockeye": {},
    "sockeye-mt": {},
    "floor-tokio": {"polling": "connect", "upgrade": "connect"},
    "floor-epoll": {},
}


def run(cost, **more):
    d = {"ok": True, "errors": 0, "sent": 9, "recv": 9, "srv_cpu_s_per_M": cost, "bound": "server"}
    return d | more


def results(rows, asked=()):
    return Results(rows, list(CONTRACTS), CONTRACTS, asked)


def echo(*own, floor=(1.0, 1.0, 1.0)):
    rows = {("echo16", "sockeye"): list(own)}
    rows["echo16", "floor-tokio"] = [run(x) for x in floor]
    return results(rows)


def verdict(r, **goal):
    goal = {"scenario": "echo16", "figure": "srv_cpu_s_per_M"} | goal
    return goals.judge(r, goal, "sockeye").verdict


class Refusals(unittest.TestCase):
    def test_one_bad_round_of_three_leaves_no_figure(self):
        for bad in (
            run(1.2, ok=False, error_text="no reply for 5 s"),
            run(1.2, errors=1),
            run(1.2, recv=8),
            run(1.2, recv=None),
            {"ok": False},
        ):
            r = echo(run(1.2), bad, run(1.2))
            self.assertTrue(refusal(bad))
            self.assertIsNone(r.get("echo16", "sockeye", "srv_cpu_s_per_M"))
            self.assertIsNone(r.ratio("echo16", "sockeye", "srv_cpu_s_per_M", "floor-tokio"))
            text = Table(r).scenario("echo16", "") + Table(r).summary(["echo16"], False)
            own = [line for line in text.splitlines() if line.startswith("| sockeye |")]
            self.assertNotIn("1.2", "".join(own))
            self.assertIn("1/3 failed", text)
            self.assertIn("refused", text)
            self.assertEqual(verdict(r, times=9.0), "no figure")
            self.assertIn("something was lost", str(plot.rows(r, "echo16", "srv_cpu_s_per_M")))

    def test_a_bad_floor_leaves_no_ratio(self):
        r = echo(run(1.2), run(1.2), run(1.2))
        r.rows["echo16", "floor-tokio"][1]["errors"] = 1
        self.assertEqual(verdict(r, times=9.0), "no figure")
        self.assertEqual(verdict(r, most=9.0), "met")

    def test_a_client_counts_what_it_received(self):
        self.assertEqual(refusal({"ok": True, "sent": 3, "received": 3}), "")
        self.assertTrue(refusal({"ok": True, "sent": 3, "received": 2}))


class Ratios(unittest.TestCase):
    def test_each_scenario_has_its_floor(self):
        r = echo(run(1.2))
        self.assertEqual(r.base("echo16"), "floor-tokio")
        self.assertEqual(r.base("polling"), "floor-epoll")
        self.assertEqual(results({}, ["sockeye-mt"]).base("echo16"), "sockeye-mt")

    def test_median_of_pairs_decides(self):
        r = echo(run(1.2), run(5.0), run(1.4))
        self.assertAlmostEqual(r.ratio("echo16", "sockeye", "srv_cpu_s_per_M", "floor-tokio"), 1.4)
        self.assertEqual(verdict(r, times=1.4), "met")
        self.assertEqual(verdict(r, times=1.39), "missed")
        self.assertEqual(verdict(r, most=1.3), "missed")

    def test_one_figure_as_a_multiple_of_another(self):
        row = run(1.0, rss_per_conn_b=2000, rss_per_conn_burst_b=2300)
        r = results({("idle19k", "sockeye"): [row]})
        goal = {"scenario": "idle19k", "figure": "rss_per_conn_burst_b", "of": "rss_per_conn_b"}
        self.assertEqual(verdict(r, **goal, times=1.1), "missed")
        self.assertEqual(verdict(r, **goal, times=1.2), "met")

    def test_multi_thread_is_held_against_current_thread(self):
        r = echo(run(1.0))
        r.rows["echo16", "sockeye-mt"] = [run(1.2)]
        all_verdicts = goals.verdicts(r, goals.read(), ["echo16"])
        self.assertEqual(
            [(v.peer, v.verdict) for v in all_verdicts],
            [("sockeye", "met"), ("sockeye-mt", "missed")],
        )
        text = goals.table(r, all_verdicts)
        self.assertIn("1 met, 1 missed", text)


class Marks(unittest.TestCase):
    def test_sioload_at_its_limit_marks_the_figure(self):
        for bound, mark in (("client", "†"), ("both", "†"), ("server", ""), ("neither", "")):
            r = echo(run(1.2), run(1.2, bound=bound))
            self.assertEqual(r.mark("echo16", "sockeye"), mark)
            self.assertIn(f"| 1.20{mark} |", Table(r).scenario("echo16", ""))

    def test_an_open_loop_that_fell_behind_is_marked(self):
        paced = dict(rate=1000, msgs_s=1000, p99_us=100, late_p99_us=1)
        for more, mark in (
            ({}, ""),
            ({"msgs_s": 900}, "‡"),
            ({"schedule_stalls": 1}, "‡"),
            ({"late_p99_us": 60}, "†"),
        ):
            r = results({("echohalf", "sockeye"): [run(1.0, **paced | more)]})
            self.assertEqual(r.mark("echohalf", "sockeye"), mark)


class Files(unittest.TestCase):
    def test_every_goal_and_scenario_is_well_formed(self):
        for scenario in goals.scenarios(goals.read()):
            self.assertIn(scenario, SCEN)
        for mode in SIZES.values():
            for sc in SCEN.values():
                for text in (sc.what, sc.args, *sc.env.values()):
                    text.format(**mode, half=1, half_of="the floor")
                self.assertTrue(all(key in FIGURES for key in DRAWN[sc.kind]))
                self.assertTrue(hasattr(Table, sc.kind.replace("-", "_")))

    def test_a_plot_is_xml_and_names_everybody(self):
        r = echo(run(1.2), run(1.4), run(1.3))
        r.rows["echo16", "floor-epoll"] = [run(1.0, errors=1)]
        rows = plot.rows(r, "echo16", "srv_cpu_s_per_M")
        rows = [(*row, 1.3 if row[0] == "sockeye" else None) for row in rows]
        svg = plot.bars("a < b & c", FIGURES["srv_cpu_s_per_M"], rows, "3 rounds")
        text = xml.dom.minidom.parseString(svg).documentElement.toxml()
        for word in ("floor-tokio", "floor-epoll", "1.30 µs", "refused", "less is better"):
            self.assertIn(word, text)
        self.assertEqual(text.count('class="goal"'), 1)  # the floors have none

    def test_what_fell_behind_has_no_bar(self):
        paced = dict(rate=1000, msgs_s=900, p99_us=100, late_p99_us=1)
        r = results({("echohalf", "sockeye"): [run(1.0, **paced)]})
        row = plot.row(r, "echohalf", "p99_us", "sockeye")
        self.assertIsNone(row[1])
        self.assertIn("did not keep up", row[4])

    def test_a_goal_line_is_in_the_unit_of_the_figure(self):
        r = echo(run(1.2), floor=(0.5,))
        limits = goals.limits(r, goals.read())
        self.assertAlmostEqual(limits["echo16", "srv_cpu_s_per_M"]["sockeye"], 0.65)
        self.assertEqual(limits["idle19k", "rss_per_conn_b"], {"sockeye": 3000})

    def test_ticks_are_few_and_within(self):
        for top in (0.003, 0.6, 1, 7.3, 19.4, 99, 101, 35_000, 12_345_678):
            ticks = plot.ticks(top)
            self.assertTrue(2 <= len(ticks) <= 7, (top, ticks))
            self.assertLessEqual(ticks[-1], top)


if __name__ == "__main__":
    unittest.main()
