"""Asks every query of a folder about telemetry that is made up, on DuckDB, and compares the answers.

python answers.py FOLDER
"""

import json
import pathlib
import re
import sys

import duckdb_kql

HERE = pathlib.Path(__file__).parent
TABLES = json.loads((HERE / "tables.json").read_text())
TYPES = {
    "bool": "BOOLEAN",
    "datetime": "TIMESTAMP",
    "dynamic": "JSON",
    "int": "INTEGER",
    "real": "DOUBLE",
    "string": "VARCHAR",
}
# What alerts ask. About nothing they answer no row, so that no alert is raised.
RULES = (HERE / "../../infra/modules/alerts.bicep").read_text()
ALERTS = re.findall(r"/queries/([a-z-]+)\.kql", RULES)
REQUESTS = "http.server.request.duration"
GATEWAY = {"Service Type": "API Management", "Operation Name": "token"}


def rows():
    """One row for each thing that was told, as table and columns."""
    for event, count, further in [
        ("authorization_requested", 20, {}),
        ("consent_allowed", 15, {}),
        ("signed_in", 12, {}),
        ("sign_in_failed", 3, {"oauth.reason": "no_answer"}),
        ("sign_in_failed", 5, {"oauth.reason": "declined"}),
        ("authorization_refused", 1, {"oauth.reason": "unknown_client"}),
        ("code_redeemed", 11, {}),
        ("refreshed", 4, {}),
        ("code_replayed", 2, {}),
        ("limited", 3, {"oauth.limit": "requests"}),
    ]:
        yield metric("oauth.events", count, **{"oauth.event": event, **further})
    for status, count in [("200", 90), ("400", 10), ("503", 10)]:
        answered = {"http.response.status_code": status, "http.route": "/token"}
        yield metric(REQUESTS, 1.1, count, 0.5, **answered, **{"http.request.method": "POST"})
    for error, count in [({}, 8), ({"error.type": "tool_error"}, 2), ({"error.type": "-32602"}, 1)]:
        called = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "hello_mcp", **error}
        yield metric("mcp.server.operation.duration", 1.1, count, 0.3, **called)
    yield metric("mcp.server.operation.duration", 0.1, 3, **{"mcp.method.name": "tools/list"})
    refused = {"error.type": "expired"}
    for source, count, error in [("cache", 30, {}), ("storage", 10, {}), ("token", 5, refused)]:
        validated = {"oauth.session.source": source, **error}
        yield metric("oauth.session.validations", count, **validated)
    for minute, instance, count in [(0, "a", 3), (0, "b", 2), (1, "a", 4), (1, "b", 0)]:
        yield metric("mcp.streams", count, AppRoleInstance=instance, minute=minute)
    yield metric("mcp.relay.duration", 0.5, 10, 0.2)
    refused, lost = {"error.type": "refused"}, {"error.type": "lost"}
    for error, count in [({}, 93), (refused, 4), (lost, 3)]:
        call = {"db.namespace": "sessions", "db.operation.name": "get", **error}
        yield metric("db.client.operation.duration", 1.0, count, 0.1, **call)
    called = {"server.address": "login.example", "http.response.status_code": "200"}
    yield metric("http.client.request.duration", 2.0, 4, 0.9, **called)
    for index in range(120):
        status = "500" if index < 12 else "200"
        yield request(index + 1.0, status, "https://mcp.example/token", GATEWAY)
    # A stream, which lasts; and a trace of an app, one in 20.
    yield request(1.5e6, "200", "https://mcp.example/mcp/sse", GATEWAY)
    yield request(12.0, "200", "", {}, AppRoleName="mcp-fn", ItemCount=20)
    audit = {"target": "audit", "audit": "code_replayed", "client": "c", "correlation_id": "k"}
    error = {"target": "oauth_fn", "message": "storage failed", "correlation_id": "l"}
    for level, line in [("WARN", audit), ("ERROR", error), ("INFO", {"message": "started"})]:
        yield "AppTraces", {"Message": json.dumps({"level": level, **line}), "SeverityLevel": 1}
    yield "AppTraces", {"Message": "Host started", "SeverityLevel": 1}
    yield "AppTraces", {"Message": "The worker is gone", "SeverityLevel": 3}
    yield "Usage", {"DataType": "AppMetrics", "IsBillable": True, "Quantity": 12.34}
    yield "Usage", {"DataType": "Operation", "IsBillable": False, "Quantity": 1.0}
    yield "_LogOperation", {"Category": "Ingestion", "Detail": "OverQuota"}


def metric(name, total, count=1, most=None, minute=0, AppRoleInstance="a", **attributes):
    most = total if most is None else most
    columns = {"Name": name, "Sum": total, "Max": most, "ItemCount": count, "minute": minute}
    where = {"AppRoleName": "app", "AppRoleInstance": AppRoleInstance}
    return "AppMetrics", {**columns, **where, "Properties": json.dumps(attributes)}


def request(duration, status, url, properties, **columns):
    row = {"DurationMs": duration, "ResultCode": status, "Url": url, "ItemCount": 1}
    further = {"OperationId": "t", "Properties": json.dumps(properties), **columns}
    return "AppRequests", {**row, **further}


# What each query answers, times left out, in the order of its rows or of the alphabet where it has none.
ANSWERS = {
    "audit-log": [("code_replayed", "", "", "c", "", "k", "")],
    "calls-to-others": [("app", "login.example", "200", "", 4, 500.0, 900.0)],
    "daily-cap": [(1,)],
    "executions": [("app", 110)],
    # The stream counts too, so 12 of 121.
    "failure-rate": [("API Management", 121, 12, 9.9), ("app", 110, 10, 9.1)],
    "instance-hours": [("app", 0.07, 2)],
    "latency-by-operation": [("token", 120, 60.0, 114.0, 119.0)],
    "limits": [("requests", 3.0)],
    "log-problems": [
        ("", "ERROR", "The worker is gone", "", ""),
        ("", "ERROR", "storage failed", "l", ""),
    ],
    "methods": [
        ("tools/call", "", 8),
        ("tools/call", "-32602", 1),
        ("tools/call", "tool_error", 2),
        ("tools/list", "", 3),
    ],
    "refused-sessions": [("expired", "token", 5.0)],
    "relay-delay": [(50.0, 200.0)],
    "requests-by-route": [("app", "POST", "/token", 110, 10, 10, 30.0, 500.0)],
    "session-cache": [(75.0,)],
    # Those who declined are not among the 15.
    "sign-in-failure-ratio": [(15.0, 3.0, 20.0)],
    "sign-in-failures": [
        ("authorization_refused", "unknown_client", 1.0),
        ("sign_in_failed", "declined", 5.0),
        ("sign_in_failed", "no_answer", 3.0),
    ],
    "sign-in-funnel": [
        ("authorization_requested", 20.0),
        ("code_redeemed", 11.0),
        ("consent_allowed", 15.0),
        ("sign_in_failed", 8.0),
        ("signed_in", 12.0),
    ],
    "slow-answers": [(120, 114.0)],
    "slowest-traces": [("mcp-fn", "", 12.0, "200", None, "t")],
    "storage-calls": [("app", "sessions", "get", 100, 30.0)],
    "storage-failures": [("app", "sessions", "get", "refused", 4)],
    "stream-hours": [(0.15, 0.05)],
    "streams": [(4.0,), (5.0,)],
    "telemetry-volume": [("AppMetrics", 12.3)],
    "token-theft": [("code_replayed", 2.0)],
    "tokens": [("code_redeemed", 11.0), ("code_replayed", 2.0), ("refreshed", 4.0)],
    "tools": [("hello_mcp", 11, 2, 1, 300.0, 300.0)],
}


def workspace():
    connection = duckdb_kql.connect()
    for table, columns in TABLES.items():
        declared = ", ".join(f'"{name}" {TYPES[kind]}' for name, kind in columns.items())
        connection.execute(f'CREATE TABLE "{table}" ({declared})')
    return connection


def fill(connection):
    for table, row in rows():
        minute = row.pop("minute", 0)
        texts = {name: "" for name, kind in TABLES[table].items() if kind == "string"}
        row = {**texts, **row, "TimeGenerated": f"2026-01-01 00:{minute:02}:00"}
        names = ", ".join(f'"{name}"' for name in row)
        places = ", ".join("?" for _ in row)
        connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({places})', list(row.values()))


def ask(connection, query):
    """The answer, without times."""
    answer = duckdb_kql.kql(connection, query)
    names = [column[0] for column in answer.description]
    kept = [index for index, name in enumerate(names) if name != "TimeGenerated"]
    return sorted((tuple(row[index] for index in kept) for row in answer.fetchall()), key=str)


def readable(query):
    """DuckDB has percentiles, but none with weights. The rows here all stand for one request."""
    return query.replace("percentilew(DurationMs, ItemCount, ", "percentile(DurationMs, ")


def main(folder):
    queries = {path.stem: readable(path.read_text()) for path in pathlib.Path(folder).glob("*.kql")}
    faults = [f"{name}: nobody says what it answers" for name in queries.keys() ^ ANSWERS.keys()]
    empty, full = workspace(), workspace()
    fill(full)
    for name in ALERTS:
        if answer := ask(empty, queries[name]):
            faults.append(f"{name}: raises an alert about nothing: {answer}")
    for name in sorted(queries.keys() & ANSWERS.keys()):
        answer = ask(full, queries[name])
        if answer != sorted(ANSWERS[name], key=str):
            faults.append(f"{name}: {answer}\n    and not {ANSWERS[name]}")
    print("\n".join(faults), f"{len(queries)} queries, {len(faults)} faults", sep="\n")
    return 1 if faults or not queries or not ALERTS else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
