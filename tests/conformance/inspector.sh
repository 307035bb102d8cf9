#!/usr/bin/env bash
# inspector.sh TARGET...: the official Inspector CLI's calls, one JSON line each.
# TARGET is a URL (http://127.0.0.1:PORT/mcp) or a stdio command with its arguments.
# ERA=legacy|auto|modern picks the revision family (legacy when unset).
# Run it bare and through the shim, and diff the two outputs.
set -uo pipefail
tools="${MCP_TWIN_TOOLS:?run this through cargo xtask conformance}"
cli=("$tools/bin/node" "$tools/inspector/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js" --cli --format json -q)
export PATH="$tools/bin:$PATH"
case "$1" in
  http://*|https://*) target=(--transport http --server-url "$1" --protocol-era "${ERA:-legacy}"); tail=() ;;
  *) target=(--protocol-era "${ERA:-legacy}"); tail=(-- "$@") ;;
esac
call() {
  printf '%s\t' "$*"
  timeout 60 "${cli[@]}" "${target[@]}" "$@" ${tail[@]+"${tail[@]}"} 2>&1
  echo "exit $?"
}
call --method initialize
call --method tools/list
call --method tools/call --tool-name test_simple_text
call --method tools/call --tool-name test_error_handling
call --method tools/call --tool-name no_such_tool
call --method resources/list
call --method resources/templates/list
call --method resources/read --uri test://static-text
call --method prompts/list
call --method prompts/get --prompt-name test_prompt_with_arguments --prompt-args arg1=hello arg2=world
[ "${ERA:-legacy}" = legacy ] && call --method logging/setLevel --log-level debug
exit 0
