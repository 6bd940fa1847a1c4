"""Schemathesis on one of the OpenAPI documents: no 5xx, and nothing that the document does not say.

Every second case that keeps the rules of the document becomes a good request of a client that has
signed in, with one part of the case in it: so the fuzzer gets past the first check of each
endpoint. What it must have seen there is written down, too.
"""

import os
import sys
import tempfile
import zlib
from collections import defaultdict
from contextlib import redirect_stdout, suppress
from xml.etree import ElementTree

import schemathesis
from schemathesis.cli import schemathesis as command

import peer
from signed_in import ORIGIN, SignedIn

WHO, EXAMPLES, SEED = sys.argv[3:6]
DOCUMENT = os.path.abspath(sys.argv[2])
MUST_SEE = {
    "stranger": {"POST /mcp": 401, "GET /mcp/sse": 401, "POST /mcp/message": 401},
    "client": {
        "POST /register": 201,
        "GET /authorize": 302,
        "GET /consent": 200,
        "POST /consent": 303,
        "GET /oauth-callback": 302,
        "GET /account": 200,
        "POST /account": 303,
        "POST /token": 200,
        "POST /revoke": 200,
        "POST /mcp": 200,
        "POST /mcp/message": 202,
    },
}[WHO]
# No document tells which codes and tokens are known, and so which requests must be granted; and
# without a token every method of /mcp is challenged before anything else.
UNFIT = {
    "client": "positive_data_acceptance",
    "stranger": "positive_data_acceptance,unsupported_method",
}[WHO]

STREAM = "/mcp/sse"

client = SignedIn() if WHO == "client" else None
seen = defaultdict(set)


@schemathesis.hook
def before_call(context, case, kwargs):
    if client is None or not follows(case) or not case.meta.generation.mode.is_positive:
        return
    operation = case.operation.label
    choice = zlib.crc32(repr((case.query, case.body)).encode())
    if choice % 2 == 0:
        return
    case.query = mixed(client.query(operation), case.query, choice)
    if operation == "POST /mcp" and choice % 3 == 0:
        case.body = client.tool_call(case.body, choice)
    else:
        case.body = mixed(client.body(operation), case.body, choice)
    case.headers.update(client.headers(operation, case.body))


def follows(case):
    """Whether the case has the method of its operation; some try the others."""
    return case.method.upper() == case.operation.method.upper()


def mixed(good, generated, choice):
    """`good`, but for one of its members, or none, which is as in `generated`."""
    if good is None or not isinstance(generated, dict):
        return generated
    members = [None, *sorted(generated)]
    member = members[choice // 2 % len(members)]
    return good if member is None else {**good, member: generated[member]}


@schemathesis.hook
def after_call(context, case, response):
    operation = case.operation.label
    if not follows(case):
        return
    seen[operation].add(response.status_code)
    if client is not None and operation == "POST /token" and response.status_code == 200:
        client.refresh_token = response.json()["refresh_token"]


def run(report):
    flags = ["--url", ORIGIN, "--seed", SEED, "--max-examples", EXAMPLES, "--no-color"]
    flags += ["--exclude-checks", UNFIT, "--continue-on-failure", "--generation-database", "none"]
    flags += ["--report-junit-path", report]
    if client is not None and os.path.basename(DOCUMENT).startswith("mcp"):
        flags += ["--header", f"Authorization:Bearer {client.access_token}"]
        flags += ["--header", "Accept:application/json, text/event-stream"]
        # What it answers to who has signed in does not end.
        flags += ["--exclude-path", STREAM]
    # It ends the process with 1 where it found something: the report says what.
    with redirect_stdout(sys.stderr), suppress(SystemExit):
        command.main(["run", DOCUMENT, *flags], standalone_mode=False)


def complaint(case):
    """What is wrong with the operation of a test case, or nothing."""
    wrong = [case.find("failure"), case.find("error")]
    texts = [fault.text or fault.get("message") for fault in wrong if fault is not None]
    statuses = seen[case.get("name")]
    must = MUST_SEE.get(case.get("name"))
    if not statuses:
        texts.append("never called")
    elif must is not None and must not in statuses:
        texts.append(f"never answered {must}, but {sorted(statuses)}")
    return " ".join(" ".join(texts).split())


with tempfile.TemporaryDirectory() as folder:
    # It leaves notes for a next time wherever it is.
    os.chdir(folder)
    run("junit.xml")
    for operation in ElementTree.parse("junit.xml").iter("testcase"):
        print(f"{operation.get('name')}\t{complaint(operation)[:300] or 'ok'}")
if client is not None and os.path.basename(DOCUMENT).startswith("mcp"):
    print(f"GET {STREAM}\tset aside: a stream does not end, the clients walk it")
print({operation: sorted(statuses) for operation, statuses in seen.items()}, file=sys.stderr)
