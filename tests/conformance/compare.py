#!/usr/bin/env python3
"""compare.py BARE.json PROXIED.json [RUN...]: what passes bare must pass proxied, in these runs or in all of them.

Exit 1 when a check that is SUCCESS bare is anything else (or absent) through
the proxy, or when a check fails that did not fail bare.
"""
import json
import sys

bare, proxied = (json.load(open(p)) for p in sys.argv[1:3])
wanted = sys.argv[3:] or bare
bad = kept = better = 0
for run in wanted:
    scenarios = bare[run]
    for scenario, checks in scenarios.items():
        got = proxied.get(run, {}).get(scenario, {})
        for check in sorted(set(checks) | set(got)):
            was, now = checks.get(check, "ABSENT"), got.get(check, "ABSENT")
            if (was == "SUCCESS" and now != "SUCCESS") or (now == "FAILURE" and was != "FAILURE"):
                bad += 1
                print(f"LOST {run} {scenario} {check}: {was} -> {now}")
            elif was == "SUCCESS":
                kept += 1
            elif now == "SUCCESS":
                better += 1
                print(f"better {run} {scenario} {check}: {was} -> {now}")
print(f"{kept} passed, {bad} failed")
sys.exit(1 if bad or not kept else 0)
