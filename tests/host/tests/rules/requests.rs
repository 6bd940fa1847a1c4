//! What a handler sees of a request, and a client of an answer.

use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::Method;

use crate::served::{KEY, Served};

#[tokio::test]
async fn the_request_comes_as_it_was_sent() {
    let served = Served::start().await;
    let request = served.request(Method::PUT, "/a?b=c%20d&e=%2F");

    let seen = served.seen(request.header("cookie", "a=1; b=2").body("text")).await;

    assert_eq!(seen["method"], "PUT");
    assert_eq!(seen["uri"], "/a?b=c%20d&e=%2F");
    assert_eq!(seen["version"], "HTTP/1.1");
    assert_eq!(seen["headers"]["cookie"], "a=1; b=2");
    assert_eq!(seen["headers"]["content-length"], "4");
    assert_eq!(seen["body"], "text");
}

#[tokio::test]
async fn the_name_of_the_host_and_the_way_to_it_are_the_hosts_own() {
    let served = Served::start().await;
    let request = served
        .get("/echo")
        .header("host", "public.example")
        .header("x-forwarded-host", "forged.example")
        .header("x-forwarded-for", "10.0.0.1")
        .header("x-forwarded-proto", "gopher")
        .header("x-forwarded-prefix", "/forged")
        .header("forwarded", "for=10.0.0.1")
        .header("x-ms-invocation-id", "forged");

    let headers = served.seen(request).await["headers"].clone();
    let disguised = served.get("/echo").header("disguised-host", "app.example");
    let disguised = served.seen(disguised).await["headers"].clone();

    assert!(headers["host"].as_str().unwrap().starts_with("127.0.0.1:"), "{headers}");
    assert_ne!(headers["host"], served.host.address().to_string());
    assert_eq!(headers["x-forwarded-host"], "public.example");
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-forwarded-prefix"], serde_json::Value::Null);
    assert_eq!(headers["forwarded"], serde_json::Value::Null);
    assert_eq!(headers["x-ms-invocation-id"].as_str().unwrap().len(), 32);
    assert_eq!(headers["x-ms-invocation-id"], headers["x-azure-functions-invocationid"]);
    assert!(headers["x-azure-functions-hostversion"].is_string());
    assert_eq!(disguised["x-forwarded-host"], "app.example");
}

#[tokio::test]
async fn headers_of_the_connection_stay_on_it() {
    let served = Served::start().await;
    let request = served
        .get("/echo")
        .header("te", "trailers")
        .header("keep-alive", "timeout=9")
        .header("proxy-authorization", "Basic x")
        .header("upgrade-insecure-requests", "1")
        .header("authorization", "Bearer t")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");

    let headers = served.seen(request).await["headers"].clone();
    let answer = served.get("/redirect").send().await.unwrap();

    for gone in ["te", "keep-alive", "proxy-authorization", "upgrade-insecure-requests"] {
        assert!(headers[gone].is_null(), "{gone}: {headers}");
    }
    assert_eq!(headers["authorization"], "Bearer t");
    assert!(headers["traceparent"].is_string());
    for gone in ["keep-alive", "alt-svc", "proxy-authenticate"] {
        assert!(!answer.headers().contains_key(gone), "{gone}");
    }
    for kept in ["www-authenticate", "mcp-session-id"] {
        assert!(answer.headers().contains_key(kept), "{kept}");
    }
}

#[tokio::test]
async fn redirects_and_every_cookie_pass() {
    let served = Served::start().await;

    let redirect = served.get("/redirect").send().await.unwrap();
    let cookies = served.get("/cookies").send().await.unwrap();

    assert_eq!(redirect.status(), 302);
    assert_eq!(redirect.headers()["location"], "https://elsewhere.example/");
    let cookies: Vec<_> = cookies.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
}

#[tokio::test]
async fn errors_of_the_handler_pass_as_they_are() {
    let served = Served::start().await;

    let answer = served.get("/refuse").send().await.unwrap();

    assert_eq!(answer.status(), 502);
    assert_eq!(answer.text().await.unwrap(), "mine");
}

#[tokio::test]
async fn an_encoded_slash_is_encoded_once_more_and_everything_else_is_decoded() {
    let served = Served::start().await;

    assert_eq!(served.seen(served.get("/x%2Fy%20z%7E")).await["uri"], "/x%252Fy%20z~");
}

#[tokio::test]
async fn head_passes_without_a_body() {
    let served = Served::start().await;

    let answer = served.request(Method::HEAD, "/cookies").send().await.unwrap();

    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-length"], "3");
    assert_eq!(answer.text().await.unwrap(), "");
}

#[tokio::test]
async fn a_body_without_a_length_passes_too() {
    let served = Served::start().await;
    let address = served.host.address();
    let raw = format!(
        "POST /echo HTTP/1.1\r\nhost: x\r\nx-functions-key: {KEY}\r\nconnection: close\r\n\
         transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    );

    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(raw.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();

    assert!(answer.contains(r#""body":"abcde""#), "{answer}");
}
