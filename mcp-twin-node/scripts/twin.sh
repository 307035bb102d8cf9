#!/bin/sh
# What `/mcp-twin:twin` runs: sh twin.sh COMMAND [ARGUMENTS], one of the commands that answer and end.
#
# Its status is 0, since Claude Code shows nothing of a command that fails; what the real one was is said.

root=$(cd "$(dirname "$0")/.." && pwd -P) || exit 0
. "$root/scripts/find.sh"

usage='usage: /mcp-twin:twin start|reload|swap|status|stop|rollback|history|logs|detect|doctor [SERVER] [OPTIONS]'
if [ $# = 0 ]; then
    set -- status
fi
case $1 in
    start | reload | swap | status | stop | rollback | history | logs | detect | doctor) ;;
    *)
        echo "$usage"
        exit 0
        ;;
esac
for word in "$@"; do
    case $word in
        -f | --follow)
            echo "\`logs $word\` does not end; run it in a terminal: mcp-twin $*"
            exit 0
            ;;
    esac
done
if [ -z "$twin" ]; then
    echo "There is no mcp-twin here: $install."
    exit 0
fi
"$twin" "$@" 2>&1 </dev/null
status=$?
[ $status = 0 ] || echo "(exit status $status)"
exit 0
