"""Authlib, the OAuth library of the Python world: from discovery to the refusal after revocation."""

import os
import sys
from urllib.parse import urlsplit

import httpx2
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2 import rfc8414, rfc9207

import peer

# The library's word for plain http, which is spoken on this machine only.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

METHOD = sys.argv[2]
SCOPE = "snippets:read snippets:write"
RESOURCE = {"resource": peer.SERVER}
WHOAMI = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami"}}


def discover():
    issuer = "{0.scheme}://{0.netloc}".format(urlsplit(peer.SERVER))
    answer = httpx2.get(rfc8414.get_well_known_url(issuer, external=True)).raise_for_status()
    metadata = rfc8414.AuthorizationServerMetadata(answer.json())
    metadata.validate(metadata_classes=[rfc9207.AuthorizationServerMetadata])
    peer.check(metadata["issuer"] == issuer, f"the issuer is {metadata['issuer']}")
    return metadata


def register(metadata):
    """The library registers nobody, so this is plain RFC 7591."""
    introduction = {
        "client_name": "Authlib",
        "redirect_uris": [peer.REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": METHOD,
    }
    answer = httpx2.post(metadata["registration_endpoint"], json=introduction).raise_for_status()
    registered = answer.json()
    peer.check(registered["token_endpoint_auth_method"] == METHOD, f"registered as {registered}")
    return OAuth2Client(
        registered["client_id"],
        registered.get("client_secret"),
        token_endpoint_auth_method=METHOD,
        revocation_endpoint_auth_method=METHOD,
        scope=SCOPE,
        redirect_uri=peer.REDIRECT_URI,
        code_challenge_method="S256",
        token_endpoint=metadata["token_endpoint"],
    )


def whoami(client):
    headers = {"Accept": "application/json, text/event-stream"}
    answer = client.post(peer.SERVER, json=WHOAMI, headers=headers).raise_for_status()
    text = answer.json()["result"]["content"][0]["text"]
    peer.check("alice" in text.lower(), f"whoami says {text}")


def main():
    with peer.step("discovery"):
        metadata = discover()
    with peer.step("registration"):
        client = register(metadata)
    verifier = generate_token(48)
    url, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, **RESOURCE
    )
    with peer.step("consent and sign-in"):
        back = peer.approve(url)
    with peer.step("issuer checked"):
        # The library does not know RFC 9207 as a client, so this is the client's own check.
        named = peer.query(back)["iss"]
        peer.check(named == metadata["issuer"], f"iss is {named}")
    with peer.step("code redeemed"):
        first = client.fetch_token(
            authorization_response=back, state=state, code_verifier=verifier, **RESOURCE
        )
    with peer.step("whoami"):
        whoami(client)
    with peer.step("refresh"):
        second = client.refresh_token(**RESOURCE)
        peer.check(second["access_token"] != first["access_token"], "the access token is the old one")
        peer.check(second["refresh_token"] != first["refresh_token"], "the refresh token is the old one")
    with peer.step("whoami after refresh"):
        whoami(client)
    with peer.step("revocation"):
        client.revoke_token(metadata["revocation_endpoint"], second["refresh_token"]).raise_for_status()
    with peer.step("refresh refused"):
        try:
            client.refresh_token(**RESOURCE)
        except OAuthError as error:
            peer.check(error.error == "invalid_grant", f"the error is {error.error}")
        else:
            peer.check(False, "the session lives on")


main()
