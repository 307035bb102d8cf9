# Sets `twin` to the mcp-twin binary, or to nothing. To be read by the other scripts of this folder, with `root` set to the
# plugin's folder.
#
# A plugin that comes from a git marketplace has no binary beside it: then it is the one that npm or cargo installed. It is
# never fetched from here.

twin=
case $(uname -s)-$(uname -m) in
    Linux-x86_64) platforms='linux-x64-gnu linux-x64-musl' ;;
    Linux-aarch64 | Linux-arm64) platforms='linux-arm64-gnu linux-arm64-musl' ;;
    Darwin-x86_64) platforms=darwin-x64 ;;
    Darwin-arm64) platforms=darwin-arm64 ;;
    MINGW*-x86_64 | MSYS*-x86_64) platforms=win32-x64-msvc ;;
    *) platforms= ;;
esac

if [ -n "${MCP_TWIN_BIN:-}" ] && [ -x "$MCP_TWIN_BIN" ]; then
    twin=$MCP_TWIN_BIN
fi
# As npm lays packages out: beside this one, or below it. Of gnu and musl it installs the one that fits.
for platform in $platforms; do
    for folder in "$root/../mcp-twin-$platform" "$root/node_modules/mcp-twin-$platform"; do
        for name in mcp-twin mcp-twin.exe; do
            if [ -z "$twin" ] && [ -x "$folder/$name" ]; then
                twin=$folder/$name
            fi
        done
    done
done
if [ -z "$twin" ]; then
    twin=$(command -v mcp-twin 2>/dev/null) || twin=
fi
install='install it with `npm i -g mcp-twin` or `cargo install mcp-twin-cli`'
