#!/usr/bin/env bash
# load.sh TOOL TARGET...: the Inspector's load mode against one tool; prints its
# JSON and fails unless every call was answered without an error. Start it, swap
# the backends some seconds later, and require exit 0: that is "no request lost".
# SECONDS_LONG (10) and CALLERS (8) size it. ERA=legacy|auto|modern picks the
# revision family (legacy when unset).
set -euo pipefail
tool="$1"; shift
tools="${MCP_TWIN_TOOLS:?run this through cargo xtask conformance}"
export PATH="$tools/bin:$PATH"
cli=("$tools/bin/node" "$tools/inspector/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js" --cli --format json -q)
case "$1" in
  http://*|https://*) target=(--transport http --server-url "$1" --protocol-era "${ERA:-legacy}"); tail=() ;;
  *) target=(--protocol-era "${ERA:-legacy}"); tail=(-- "$@") ;;
esac
line="$("${cli[@]}" ${target[@]+"${target[@]}"} --method tools/call --tool-name "$tool" \
  --load --load-concurrency "${CALLERS:-8}" --load-duration "${SECONDS_LONG:-10}" \
  ${tail[@]+"${tail[@]}"})"
echo "$line"
python3 - "$line" <<'P'
import json, sys
r = json.loads(sys.argv[1])["result"]
lost = r["errors"] + r["toolErrors"] + (r["requests"] - r["ok"])
print(f"{r['ok']} passed, {lost} failed")
sys.exit(1 if lost or not r["ok"] else 0)
P
