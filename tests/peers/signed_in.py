"""A client that has registered and signed a person in, and what such a client would send."""

import base64
import hashlib
import json
import secrets
import threading
import urllib.request
from urllib.parse import urlencode, urljoin, urlsplit

import peer

ORIGIN = "{0.scheme}://{0.netloc}".format(urlsplit(peer.SERVER))
METADATA = {
    "client_name": "A client that is fuzzed",
    "redirect_uris": [peer.REDIRECT_URI],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}
# What each message says since 2026-07-28; before, it was said once, and is no harm.
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "fuzz", "version": "0.0.0"},
}


class SignedIn:
    """Good requests, by operation."""

    def __init__(self):
        self.client_id = post("/register", json.dumps(METADATA), "application/json")["client_id"]
        self.verifier = secrets.token_urlsafe(48)
        code = peer.query(peer.approve(f"{ORIGIN}/authorize?{urlencode(self.authorization())}"))["code"]
        tokens = post("/token", urlencode({
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "redirect_uri": peer.REDIRECT_URI,
            "code": code,
            "code_verifier": self.verifier,
        }))
        self.access_token, self.refresh_token = tokens["access_token"], tokens["refresh_token"]
        self.ask_again()
        self.listen()

    def listen(self):
        """Opens a stream of HTTP+SSE, and reads it for as long as this process runs."""
        headers = {"Authorization": f"Bearer {self.access_token}", "Accept": "text/event-stream"}
        stream = urllib.request.urlopen(urllib.request.Request(f"{ORIGIN}/mcp/sse", headers=headers))
        address = next(line for line in stream if line.startswith(b"data: "))
        self.stream = peer.query(urljoin(ORIGIN, address[6:].decode().strip()))["sessionId"]
        threading.Thread(target=lambda: [None for _ in stream], daemon=True).start()

    def ask_again(self):
        """A second sign-in, that stops where the browser is sent to the identity provider."""
        browser = peer.Browser()
        url = f"{ORIGIN}/authorize?{urlencode(self.authorization())}"
        page = browser.get(url)
        self.sealed_request = peer.query(page.url)["request"]
        headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
        form = urlencode({"request": self.sealed_request, "decision": "allow"}).encode()
        answer = browser.opener.open(urllib.request.Request(urljoin(url, "/consent"), form, headers))
        self.upstream_state = peer.query(answer.headers["Location"])["state"]
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies)
        self.browser = {**headers, "Cookie": cookies}

    def authorization(self):
        challenge = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": peer.REDIRECT_URI,
            "scope": "snippets:read snippets:write",
            "state": "kept as it is",
            "resource": peer.SERVER,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }

    def query(self, operation):
        """The parameters of a good request to `operation`, if it takes some."""
        return {
            "GET /authorize": self.authorization(),
            "GET /consent": {"request": self.sealed_request},
            "POST /mcp/message": {"sessionId": self.stream},
            "GET /oauth-callback": {"state": self.upstream_state, "code": "unknown"},
        }.get(operation)

    def body(self, operation):
        """The body of a good request to `operation`, if it takes one."""
        return {
            "POST /register": METADATA,
            "POST /consent": {"request": self.sealed_request, "decision": "allow"},
            # Nobody has to be signed in to leave; and who is would end what the fuzzer goes on with.
            "POST /account": {"action": "sign-out"},
            "POST /token": {
                "grant_type": "refresh_token",
                "client_id": self.client_id,
                "refresh_token": self.refresh_token,
            },
            "POST /revoke": {"client_id": self.client_id, "token": "mcp_at_unknown"},
            "POST /mcp": {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}},
            "POST /mcp/message": {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}},
        }.get(operation)

    def headers(self, operation, body):
        """The headers of a good request to `operation`, beside those that are always sent."""
        if operation.endswith(("/account", "/consent", "/oauth-callback")):
            return self.browser
        if operation != "POST /mcp":
            return {}
        params = body.get("params") or {}
        of_message = {"Mcp-Method": body["method"], "Mcp-Name": params.get("name")}
        return {name: text for name, text in of_message.items() if is_plain(text)}

    def tool_call(self, generated, choice):
        """A call of a tool, whose arguments are texts and things that were generated."""
        arguments = {"snippetname": generated.get("method"), "snippet": repr(generated)}
        name = peer.TOOLS[choice % len(peer.TOOLS)]
        tool = {"name": name, "arguments": arguments, "_meta": META}
        return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": tool}


def is_plain(text):
    return isinstance(text, str) and text.isascii() and text.isprintable()


def post(path, body, media_type="application/x-www-form-urlencoded"):
    headers = {"Content-Type": media_type}
    request = urllib.request.Request(ORIGIN + path, body.encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)
