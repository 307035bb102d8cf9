#!/bin/sh
# Answers a hook of Claude Code: sh hook.sh EVENT, with the hook's JSON on standard input.
#
# It ends with status 0 whatever happens, and passes on nothing but an answer in JSON: a hook must not fail a session, and an
# mcp-twin of another release may not know the command.

root=$(cd "$(dirname "$0")/.." 2>/dev/null && pwd) || exit 0
. "$root/scripts/find.sh"

if [ -z "$twin" ]; then
    # So that the client does not find its pipe closed.
    cat >/dev/null
    if [ "${1:-}" = SessionStart ]; then
        printf '{"systemMessage":"The plugin mcp-twin finds no mcp-twin: %s."}\n' "$install"
    fi
    exit 0
fi

answer=$("$twin" hook "${1:-}" 2>/dev/null) || exit 0
case $answer in
    '{'*) printf '%s\n' "$answer" ;;
esac
exit 0
