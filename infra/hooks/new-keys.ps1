# Before provisioning: makes the first key of each ring, 256 bits at random, unless there is a vault
# that has them. A provisioning that failed finds the keys of its last try.
$ErrorActionPreference = 'Stop'

# azd knows the vault from the outputs of the last provisioning, and forgets it on `azd down`. A machine
# that did not provision learns it by `azd env refresh`.
if ($env:AZURE_KEY_VAULT_NAME) {
    exit 0
}

# Puts a new ring into a variable of the azd environment, unless there is one.
function New-Ring([string] $name, [string] $value) {
    if ($value) {
        return
    }
    $key = New-Object byte[] 32
    $generator = [System.Security.Cryptography.RandomNumberGenerator]::Create()
    $generator.GetBytes($key)
    $generator.Dispose()
    azd env set $name "k1:$([Convert]::ToBase64String($key))"
    if ($LASTEXITCODE -ne 0) {
        exit $LASTEXITCODE
    }
}

New-Ring 'NEW_SESSION_KEYS' $env:NEW_SESSION_KEYS
New-Ring 'NEW_GRANT_KEYS' $env:NEW_GRANT_KEYS
