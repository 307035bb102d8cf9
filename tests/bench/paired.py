#!/usr/bin/env python3
"""Rounds of the steady part, each peer in turn, and the medians of the paired ratios.

    paired.py --mcp-twin PATH [--rounds 10] [--calls 20000] [--peer NAME ...] [--out FILE]

A round runs `bare`, `socat`, `mcp-twin` and `socat` once more (then the other peers); a ratio pairs runs of one round only,
so that a machine that is slower for a minute is slower for both. `socat` against itself tells the noise. Latency ratios
are "how much slower", throughput ratios "how much of it".
"""
import argparse
import asyncio
import json
import os
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from reload_bench import Run  # noqa: E402


def steady(options, peer):
    row = asyncio.run(Run(options, peer, "plain").go(["steady"]))
    if "failed" in row:
        print(f"  {peer}: {row['failed']}", file=sys.stderr)
    return row


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--rounds", type=int, default=10)
    ap.add_argument("--calls", type=int, default=20000)
    ap.add_argument("--peer", action="append", default=[], help="more rows of contenders.py")
    ap.add_argument("--mcp-twin", default=os.environ.get("BENCH_MCP_TWIN", "mcp-twin"))
    ap.add_argument("--peers-dir", default=os.environ.get("BENCH_PEERS_DIR", "."))
    ap.add_argument("--python", default=sys.executable)
    ap.add_argument("--no-socat", action="store_true")
    ap.add_argument("--out", default=os.devnull)
    o = ap.parse_args()
    o.peers_dir = str(Path(o.peers_dir).resolve())
    # What Run wants to know besides.
    o.rate, o.keep, o.verbose, o.edit_style = 50.0, False, False, "inplace"
    order = ["bare"] + ([] if o.no_socat else ["socat"]) + ["mcp-twin"] + ([] if o.no_socat else ["socat"]) + o.peer
    rounds = []
    with open(o.out, "a") as out:
        for number in range(o.rounds):
            rows = [steady(o, peer) for peer in order]
            rounds.append(rows)
            for row in rows:
                out.write(json.dumps({"round": number, **row}) + "\n")
            print(f"round {number + 1}: " + ", ".join(
                f"{r['peer']} {r.get('m1_p50_us', 0):.0f} us {r.get('m2_calls_s', 0):.0f}/s" for r in rows), file=sys.stderr)

    first = {peer: order.index(peer) for peer in order}
    pairs = [("mcp-twin", first["mcp-twin"], "bare", 0)]
    if not o.no_socat:
        pairs += [("socat", first["socat"], "bare", 0), ("mcp-twin", first["mcp-twin"], "socat", first["socat"]),
                  ("socat", first["mcp-twin"] + 1, "socat", first["socat"])]
    pairs += [(peer, first[peer], "bare", 0) for peer in o.peer]

    def ratio(a, b, field):
        got = [rows[a][field] / rows[b][field] for rows in rounds if rows[a].get(field) and rows[b].get(field)]
        return f"{statistics.median(got):.2f} ({min(got):.2f} to {max(got):.2f})" if got else "-"

    print(f"\n{o.rounds} rounds of {o.calls} calls; medians of paired ratios (lowest to highest)\n")
    print("| pair | p50 | p99 | calls/s |\n|---|---|---|---|")
    for name, a, base, b in pairs:
        cells = [ratio(a, b, field) for field in ("m1_p50_us", "m1_p99_us", "m2_calls_s")]
        print(f"| {name} / {base} | " + " | ".join(cells) + " |")
    print("\n| peer | p50 us | p99 us | calls/s | peak RSS MiB |\n|---|---|---|---|---|")
    for peer, at in first.items():
        def median(field, scale=1.0):
            got = [rows[at][field] / scale for rows in rounds if rows[at].get(field)]
            return f"{statistics.median(got):.1f}" if got else "-"
        cells = [median("m1_p50_us"), median("m1_p99_us"), median("m2_calls_s"), median("rss_kib", 1024)]
        print(f"| {peer} | " + " | ".join(cells) + " |")
    sys.exit(0 if all(rows[first["mcp-twin"]].get("m1_p50_us") for rows in rounds) else 1)


if __name__ == "__main__":
    main()
