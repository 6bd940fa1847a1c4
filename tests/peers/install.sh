# Installs the peers into target/peers: from npm and PyPI what the lock files beside this script
# say, and from Debian what is missing. Sourced by run.

install_peers() {
    install_from_debian
    install_from_npm
    local environment
    for environment in authlib mcp-1 mcp-2 schemathesis; do
        install_from_pypi "$environment"
    done
}

install_from_debian() {
    local packages=()
    [[ -n $(browser) ]] || packages+=(chromium)
    command -v npm >/dev/null || packages+=(npm)
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
    ((${#packages[@]} > 0)) || return 0
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        give_up "install these first: ${packages[*]}"
    fi
    printf 'installing %s\n' "${packages[*]}"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install -y --no-install-recommends "${packages[@]}" >"$peers/logs/debian" 2>&1 ||
        give_up "Debian did not give ${packages[*]}: see $peers/logs/debian"
}

browser() {
    command -v chromium || command -v chromium-browser || command -v google-chrome || true
}

# No install scripts, and no builds below: nothing of these packages runs before a test does.
install_from_npm() {
    local stamp=$peers/npm/installed
    mkdir -p "$peers/npm"
    cp "$here"/package.json "$here"/package-lock.json "$here"/*.mjs "$peers/npm/"
    cmp -s "$stamp" "$here/package-lock.json" && return
    printf 'installing from npm\n'
    (cd "$peers/npm" && npm ci --ignore-scripts --no-audit --no-fund --loglevel error) ||
        give_up 'npm did not give the packages of tests/peers/package-lock.json'
    cp "$here/package-lock.json" "$stamp"
}

# install_from_pypi NAME: a virtual environment with what requirements-NAME.txt says.
install_from_pypi() {
    local stamp=$peers/$1/installed requirements=$here/requirements-$1.txt
    cmp -s "$stamp" "$requirements" && return
    printf 'installing %s from PyPI\n' "$1"
    python3 -m venv --clear "$peers/$1"
    "$peers/$1/bin/pip" install --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: -r "$requirements" ||
        give_up "PyPI did not give the packages of tests/peers/requirements-$1.txt"
    cp "$requirements" "$stamp"
}
