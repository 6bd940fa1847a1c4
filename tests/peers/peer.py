"""What the Python peers share: reported steps, a person who allows and signs in, a walk through the tools."""

import http.cookiejar
import secrets
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

SERVER = sys.argv[1] if len(sys.argv) > 1 else ""
REDIRECT_URI = "http://127.0.0.1:53122/callback"
TOOLS = ["delete_snippet", "get_snippet", "hello_mcp", "list_snippets", "save_snippet", "whoami"]
TEXT = "fn main() {}\n\t\u00e4 \u2603 \U0001f980 </script>\n"


def endpoint(transport):
    """Where a client of MCP is pointed at: `http` is Streamable HTTP, `sse` is HTTP+SSE."""
    return f"{SERVER}/sse" if transport == "sse" else SERVER


@contextmanager
def step(name):
    """Reports how a part of the walk ended: its name, a tab, and `ok` or what went wrong."""
    try:
        yield
    except BaseException as error:
        print(f"{name}\t{reason(error)}", flush=True)
        raise
    print(f"{name}\tok", flush=True)


def reason(error):
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def check(holds, complaint):
    if not holds:
        raise AssertionError(complaint)


def approve(authorization_url):
    """Allows and signs in, as a browser would send it; returns where it comes back to the client."""
    browser = Browser()
    page = browser.get(authorization_url)
    location = browser.submit(page, "decision", "allow")
    check(isinstance(location, str), "the browser was not sent back to the client")
    answer = query(location)
    check("code" in answer, f"no code in the answer: {answer}")
    check("iss" in answer, "no iss in the answer")
    return location


def query(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


class Browser:
    """Cookies, redirects and forms, and nothing else. It stops at the client's redirect URI."""

    def __init__(self):
        self.cookies = http.cookiejar.CookieJar()
        keep_cookies = urllib.request.HTTPCookieProcessor(self.cookies)
        self.opener = urllib.request.build_opener(keep_cookies, KeepRedirect)

    def get(self, url):
        return self.navigate(urllib.request.Request(url, headers=fetch_metadata("none")))

    def submit(self, page, button, value):
        form = Form(page)
        fields = urlencode([*form.hidden, (button, value)]).encode()
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(page.url))
        headers = {**fetch_metadata("same-origin"), "Origin": origin, "Referer": page.url}
        return self.navigate(urllib.request.Request(urljoin(page.url, form.action), fields, headers))

    def navigate(self, request):
        for _ in range(12):
            answer = self.opener.open(request, timeout=30)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            location = urljoin(request.full_url, answer.headers["Location"])
            if location.startswith(REDIRECT_URI):
                return location
            request = urllib.request.Request(location, headers=fetch_metadata("same-origin"))
        raise AssertionError("too many redirects")


class KeepRedirect(urllib.request.HTTPRedirectHandler):
    """Hands a redirect back as an answer."""

    def http_error_302(self, request, answer, code, message, headers):
        return answer

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class Form(HTMLParser):
    """The action and the hidden fields of the only form of a page."""

    def __init__(self, page):
        super().__init__()
        self.action, self.hidden = "", []
        check(not isinstance(page, str), "there was no page to consent on")
        self.feed(page.read().decode())
        check(self.hidden, f"{page.url} has no form with hidden fields")

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.action = attributes["action"]
        elif tag == "input" and attributes.get("type") == "hidden":
            self.hidden.append((attributes["name"], attributes["value"]))


def fetch_metadata(site):
    return {
        "Sec-Fetch-Site": site,
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Sec-Fetch-User": "?1",
    }


class Memory:
    """Keeps a client's registration and tokens, and says what came of registering."""

    def __init__(self):
        self.tokens = self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        with step("registration"):
            check(client.client_id, "no client_id")
            check(client.token_endpoint_auth_method == "none", "not a public client")
        self.client = client


def authorize(authorization_url):
    """What a client does with a person: sends them there and takes the answer."""
    with step("PKCE"):
        request = query(authorization_url)
        check(request["code_challenge_method"] == "S256", "the challenge is not S256")
        check(request["resource"] == SERVER, f"resource is {request.get('resource')}")
    with step("consent"):
        return query(approve(authorization_url))


async def walk(session, provider, memory):
    """Uses the tools, then lets the access token run out and uses them again."""

    async def call(tool, arguments):
        result = await session.call_tool(tool, arguments)
        failed = getattr(result, "is_error", None) or getattr(result, "isError", None)
        text = "".join(getattr(part, "text", "") for part in result.content)
        check(not failed, f"{tool} failed: {text}")
        return text

    # Nobody else saves it, so that nothing is overwritten.
    name = f"peer-{secrets.token_hex(8)}.txt"
    with step("sign-in"):
        who = await call("whoami", {})
        check("alice" in who.lower(), f"whoami says {who}")
    with step("tools/list"):
        names = sorted(tool.name for tool in (await session.list_tools()).tools)
        check(names == TOOLS, f"the tools are {names}")
    with step("save_snippet"):
        await call("save_snippet", {"snippetname": name, "snippet": TEXT})
    with step("get_snippet"):
        text = await call("get_snippet", {"snippetname": name})
        check(text == TEXT, f"got another text: {text!r}")
    with step("refresh"):
        before = memory.tokens
        provider.context.token_expiry_time = 1
        await call("hello_mcp", {})
        check(memory.tokens.access_token != before.access_token, "the access token is the old one")
        check(memory.tokens.refresh_token != before.refresh_token, "the refresh token is the old one")
    with step("call after refresh"):
        text = await call("get_snippet", {"snippetname": name})
        check(text == TEXT, f"got another text: {text!r}")
