#!/bin/sh
# Answers a hook of Claude Code: sh hook.sh EVENT, with the hook's JSON on standard input.
#
# It ends with status 0 whatever happens, and passes on nothing but an answer in JSON: a hook must not fail a session, and an
# mcp-twin of another release may not know the command.

root=$(cd "$(dirname "$0")/.." 2>/dev/null && pwd -P) || exit 0
. "$root/scripts/find.sh"

if [ -z "$twin" ]; then
    # So that the client does not find its pipe closed.
    cat >/dev/null
    if [ "${1:-}" = SessionStart ]; then
        printf '{"systemMessage":"The plugin mcp-twin finds no mcp-twin: %s."}\n' "$install"
    fi
    exit 0
fi

# Also what the shell itself has to say of a program that a signal ended.
exec 2>/dev/null
answer=$("$twin" hook "${1:-}") || exit 0
case $answer in
    '{'*) printf '%s\n' "$answer" ;;
esac
exit 0
