//! Which packages are taken: each mistake that keeps a handler from working is told.

use functions_host::Programs;
use serde_json::json;

use crate::served::{Files, with_host, with_trigger};

fn refusal(files: &Files) -> String {
    files.open(Programs::Native).unwrap_err().to_string()
}

#[test]
fn a_good_package_is_taken() {
    let package = Files::good().open(Programs::Native).unwrap();

    assert!(package.size() > 1000);
    assert_eq!(package.settings().route_prefix, "");
}

#[test]
fn without_its_out_binding_the_handler_would_get_json() {
    let mut files = Files::good();
    files.function_json["bindings"].as_array_mut().unwrap().pop();

    assert!(refusal(&files).contains("would get JSON"));

    let mut files = Files::good();
    files.function_json["bindings"][1]["type"] = json!("queue");
    assert!(refusal(&files).contains("no http out binding"));
    files.function_json["bindings"][1] = json!({ "type": "http", "direction": "out" });
    let third = files.function_json["bindings"][1].clone();
    files.function_json["bindings"].as_array_mut().unwrap().push(third);
    assert!(refusal(&files).contains("would get JSON"));
}

#[test]
fn a_trigger_that_is_not_of_http_or_does_not_take_every_path_is_told() {
    assert!(refusal(&with_trigger(&[("type", json!("timerTrigger"))])).contains("no httpTrigger"));
    assert!(refusal(&with_trigger(&[("route", json!("mcp"))])).contains("every path"));
    assert!(refusal(&with_trigger(&[("authLevel", json!("secret"))])).contains("cannot be read"));
}

#[test]
fn a_handler_that_may_not_be_executed_is_told() {
    for mode in [0o644, 0o700, 0o777] {
        let told = refusal(&Files { mode, ..Files::good() });

        assert!(told.contains(&format!("{mode:o}")), "{told}");
    }
}

#[test]
fn a_handler_that_is_not_there_is_told() {
    let mut files = Files::good();
    files.host_json["customHandler"]["description"]["defaultExecutablePath"] = json!("bin/handler");

    assert_eq!(refusal(&files), "bin/handler is not in the package");
}

#[test]
fn a_handler_that_does_not_start_on_azure_is_told() {
    let refusal = |handler: &[u8]| {
        let files = Files { handler: handler.to_vec(), ..Files::good() };
        files.open(Programs::Static).unwrap_err().to_string()
    };
    let mut aarch64 = b"\x7fELF\x02\x01\x01".to_vec();
    aarch64.resize(64, 0);
    aarch64[16] = 2;
    aarch64[18] = 183;

    assert!(refusal(b"#!/bin/sh\n").contains("not a 64-bit program for Linux"));
    assert!(refusal(&aarch64).contains("not for x86_64"));
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    assert!(refusal(&Files::good().handler).contains("linked dynamically"));
}

#[test]
fn a_host_json_that_does_not_pass_requests_on_is_told() {
    let mut buffering = Files::good();
    let custom_handler = buffering.host_json["customHandler"].as_object_mut().unwrap();
    custom_handler.remove("enableProxyingHttpRequest");
    custom_handler.insert("enableForwardingHttpRequest".to_owned(), json!(true));
    assert!(refusal(&buffering).contains("host.json cannot be read"));

    let mut off = Files::good();
    off.host_json["customHandler"]["enableProxyingHttpRequest"] = json!(false);
    assert!(refusal(&off).contains("enableProxyingHttpRequest"));

    let mut misspelt = Files::good();
    misspelt.host_json["customHandler"]["http"] = json!({ "enableProxying": true });
    assert!(refusal(&misspelt).contains("does not start"));

    assert!(refusal(&with_host("version", "1.0")).contains("version"));
    assert!(refusal(&with_host("configurationProfile", "x")).contains("does not start"));
    assert!(refusal(&with_host("functionTimeout", "soon")).contains("functionTimeout"));
    assert!(refusal(&with_host("customHandler", json!(null))).contains("no custom handler"));
}
