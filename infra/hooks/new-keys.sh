#!/bin/sh
# Before provisioning: makes the first key of each ring, 256 bits at random, unless there is a vault
# that has them. A provisioning that failed finds the keys of its last try.
set -eu

# azd knows the vault from the outputs of the last provisioning, and forgets it on `azd down`. A machine
# that did not provision learns it by `azd env refresh`.
if [ -n "${AZURE_KEY_VAULT_NAME:-}" ]; then
    exit 0
fi

# make NAME VALUE: puts a new ring into NAME of the azd environment, unless VALUE is one.
make() {
    if [ -z "$2" ]; then
        azd env set "$1" "k1:$(head -c 32 /dev/urandom | base64)"
    fi
}

make NEW_SESSION_KEYS "${NEW_SESSION_KEYS:-}"
make NEW_GRANT_KEYS "${NEW_GRANT_KEYS:-}"
