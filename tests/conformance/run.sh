#!/usr/bin/env bash
# run.sh URL OUT_DIR [RUN...]: conformance runs against one endpoint (stable, 2025-11-25, 2026-07-28; all three when none
# is named), and OUT_DIR/summary.json. Never fails on a failed scenario: compare.py judges.
set -uo pipefail
url="$1"; out="$2"; shift 2
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
tools="${MCP_TWIN_TOOLS:?run this through cargo xtask conformance}"
node="$tools/bin/node"
cli=node_modules/@modelcontextprotocol/conformance/dist/index.js
rm -rf "$out"; mkdir -p "$out"
run() { # name cli args...
  local name="$1" prog="$2"; shift 2
  timeout 300 "$node" "$prog" server --url "$url" -o "$out/$name" "$@" >"$out/$name.log" 2>&1
  echo "$name: exit $?, $(grep '^Total' "$out/$name.log" || echo 'no total')"
}
[ $# -gt 0 ] || set -- stable 2025-11-25 2026-07-28
for name in "$@"; do
  case "$name" in
    stable) run stable "$tools/conformance/$cli" --suite all ;;
    *) run "$name" "$tools/conformance-next/$cli" --requirements "$name" ;;
  esac
done
python3 "$here/summary.py" "$out" >"$out/summary.json"
