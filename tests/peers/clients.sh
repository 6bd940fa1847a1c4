# MCP clients, each over each transport that it offers, with its own way to sign in. Sourced by run.

readonly table=$peers/logs/clients.table

# mcp_clients TRANSPORT: `http` is Streamable HTTP, `sse` is HTTP+SSE.
mcp_clients() {
    local transport=$1 era
    serve_packages "clients-$transport" --sign-in-as alice
    for era in $(eras_of "$transport"); do
        client 'Python mcp 2.3' "$transport" "$era" "$WITH_LIBRARY|revision" \
            "$peers/mcp-2/bin/python" -B "$here/python_mcp_2.py" "$url/mcp"
        client 'TypeScript client 2.4' "$transport" "$era" "$WITH_LIBRARY|revision" \
            "$node" "$peers/npm/typescript_client_2.mjs" "$url/mcp"
        client 'MCP Inspector 2.12 CLI' "$transport" "$era" "$WITH_PROGRAM" \
            "$node" "$peers/npm/inspector_cli.mjs" "$url/mcp"
        client 'mcp-remote 0.15' "$transport" "$era" "$WITH_PROGRAM" \
            "$node" "$peers/npm/mcp_remote.mjs" "$url/mcp"
    done
    client 'Python mcp 1.30' "$transport" legacy "$WITH_LIBRARY" \
        "$peers/mcp-1/bin/python" -B "$here/python_mcp_1.py" "$url/mcp"
    client 'TypeScript sdk 1.32' "$transport" legacy "$WITH_LIBRARY" \
        "$node" "$peers/npm/typescript_sdk_1.mjs" "$url/mcp"
    if [[ $transport == sse ]]; then
        row 'rmcp 3.11' "$transport" - 'not offered by this client'
    else
        client 'rmcp 3.11' "$transport" legacy "$DEMO" "${demo[@]}" "$url"
    fi
}

# eras_of TRANSPORT: the newest revision needs no handshake (`auto` finds out), those before it begin
# with `initialize`. HTTP+SSE has the handshake only.
eras_of() {
    [[ $1 == sse ]] && echo legacy || echo legacy auto
}

# The page of MCP Inspector, which a person clicks through, as through ours.
inspector_page() {
    local walk='started|consent page|allowed|signed in|connected|tools listed|whoami|save_snippet|get_snippet|no script of the page called us|a script of the page may'
    local transport=$1 era
    local -x SCREENSHOTS=$peers/logs CHROMIUM
    CHROMIUM=$(browser)
    serve_packages "inspector-page-$transport"
    for era in $(eras_of "$transport"); do
        client 'MCP Inspector 2.12 page' "$transport" "$era" "$walk" \
            "$node" "$peers/npm/inspector_page.mjs" "$url/mcp"
    done
}

# A library asks us to consent; a program opens a browser, which does.
readonly WITH_LIBRARY='registration|PKCE|consent|sign-in|tools/list|save_snippet|get_snippet|refresh|call after refresh'
readonly WITH_PROGRAM='sign-in|tools/list|save_snippet|get_snippet'
readonly DEMO='discover|register|authorize|consent|sign in|token|tools|save|get|delete|refresh|revoke'

# client NAME TRANSPORT ERA STEPS COMMAND...: walks, and notes in the table whether all went well. It
# gets a home of its own, and a browser in which a person consents.
client() {
    local name=$1 transport=$2 era=$3 steps=$4 failed_before=$failed outcome=ok
    shift 4
    local browser home
    browser=$(browser_of_programs) home=$(mktemp -d)
    local -x HOME=$home BROWSER=$browser PATH=${browser%/*}:${node%/*}:$PATH
    peer "$name, $transport, $era" "$steps" "$@" "$transport" "$era"
    rm -rf "$HOME"
    ((failed == failed_before)) || outcome=failed
    row "$name" "$transport" "$era" "$outcome"
}

# browser_of_programs: what programs start to open a page. Some look in BROWSER, some for xdg-open.
browser_of_programs() {
    local program=$peers/browser/xdg-open
    mkdir -p "${program%/*}"
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$node" "$peers/npm/person_opens.mjs" >"$program"
    chmod +x "$program"
    printf '%s' "$program"
}

# The demo, which is rmcp's client. Of each line that it prints, the name of the step and no more.
readonly demo=(bash -c '"$0" demo --url "$1" | sed -nE "s/^  ✓ (.{10}) .*/\1/p" | sed -E "s/ *$/\tok/"'
    target/debug/local)

# row CLIENT TRANSPORT ERA OUTCOME
row() {
    local transport='Streamable HTTP'
    [[ $2 == http ]] || transport='HTTP+SSE'
    printf '%-26s %-18s %-10s %s\n' "$1" "$transport" "$3" "$4" >>"$table"
}

# The outcome of each client over each transport.
table_of_clients() {
    printf '\n%-26s %-18s %-10s %s\n' CLIENT TRANSPORT ERA OUTCOME
    sort "$table"
}
