# Runs the parts of the walk and reports how each step of theirs ended. Sourced by run.

passed=0
failed=0
aside=0
came_to_its_end=no

# side_by_side LANE...: runs each in a shell of its own, whose servers end with it, and counts here
# what it reported. One that broke off counts as failed.
side_by_side() {
    local lane of_lane
    for lane in "$@"; do
        rm -f "$peers/logs/$lane.counts"
        run_lane "$lane" &
        started+=($!)
    done
    for lane in "$@"; do
        wait "${started[0]}" || true
        started=("${started[@]:1}")
        read -ra of_lane <"$peers/logs/$lane.counts" || of_lane=(0 1 0)
        passed=$((passed + of_lane[0])) failed=$((failed + of_lane[1])) aside=$((aside + of_lane[2]))
    done
}

run_lane() {
    started=()
    trap stop_all EXIT
    "$1"
    printf '%d %d %d\n' "$passed" "$failed" "$aside" >"$peers/logs/$1.counts"
}

# part NAME COMMAND...: runs it and says how long it took.
part() {
    local began=$SECONDS
    "${@:2}"
    printf -- '-- %s: %d s\n' "$1" $((SECONDS - began))
}

# peer NAME STEPS COMMAND...: runs one peer and reports its steps, those that it did not reach too.
peer() {
    local name=$1 steps log outcome step failed_before=$failed
    IFS='|' read -ra steps <<<"$2"
    log=$peers/logs/${name//[ ,]/-}
    shift 2
    timeout 240 "$@" >"$log.steps" 2>"$log.errors" || true
    for step in "${steps[@]}"; do
        outcome=$(awk -F '\t' -v step="$step" '$1 == step { print $2; exit }' "$log.steps")
        report "$name" "$step" "${outcome:-not reached}"
    done
    if ((failed > failed_before)); then
        tail -n 15 "$log.errors" | sed 's/^/    /'
    fi
}

report() {
    report_line "$@"
    case $3 in
        ok) passed=$((passed + 1)) ;;
        'set aside: '*) aside=$((aside + 1)) ;;
        *) failed=$((failed + 1)) ;;
    esac
}

report_line() {
    printf '%-40s %-46s %s\n' "$1" "$2" "$3"
}

# The last lines, however the run ends.
summary() {
    stop_all
    [[ $came_to_its_end == yes ]] || failed=$((failed + 1))
    printf '\n%d passed, %d failed, %d set aside in %d s\n' "$passed" "$failed" "$aside" "$SECONDS"
}
