# Starts and ends servers on free ports of this machine. Sourced by run and by tests/bench/azurite.

started=()

# start_azurite [NAME]: the emulator, in memory; says in `tables` and `blobs` where its first account
# is. Each system that is started on it needs an account.
start_azurite() {
    local blob_port table_port number
    # Published in Azurite's documentation: no secret.
    local key=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==
    local -x AZURITE_ACCOUNTS=
    for number in {1..500}; do AZURITE_ACCOUNTS+="devstoreaccount$number:$key;"; done
    blob_port=$(free_port) table_port=$(free_port)
    start "azurite${1:+-$1}" "$table_port" "$node" "$peers/npm/node_modules/azurite/dist/src/azurite.js" \
        --inMemoryPersistence --silent --disableTelemetry --skipApiVersionCheck \
        --blobPort "$blob_port" --queuePort "$(free_port)" --tablePort "$table_port"
    tables=http://127.0.0.1:$table_port/devstoreaccount1
    blobs=http://127.0.0.1:$blob_port/devstoreaccount1
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start NAME PORT COMMAND...: starts a server and waits until it listens.
start() {
    local name=$1 port=$2 pid
    shift 2
    "$@" >"$peers/logs/$name" 2>&1 &
    pid=$!
    started+=("$pid")
    for _ in {1..300}; do
        if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 20 "$peers/logs/$name" >&2
    give_up "$name does not listen on port $port"
}

# Ends what this script started, and only that.
stop_all() {
    local pid
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null || continue
        for _ in {1..50}; do
            kill -0 "$pid" 2>/dev/null || continue 2
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null || true
    done
}

give_up() {
    printf '%s\n' "$1" >&2
    exit 1
}
