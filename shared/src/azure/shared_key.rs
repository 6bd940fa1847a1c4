//! Signs requests to Azurite with the key that everybody knows, so that the emulator needs no
//! set-up. A real account never sees them: they serve plain http on this machine only.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::{ErrorKind, ResultExt};
use azure_core::http::headers::{AUTHORIZATION, HeaderName, MS_DATE};
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};
use azure_core::time::to_rfc7231;
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use time::OffsetDateTime;

use super::StorageService;
use crate::clock::{Clock, SystemClock};

/// What the accounts of Azurite are called before their number. It has the first one; whoever wants
/// more names them, with the same key, in `AZURITE_ACCOUNTS`.
const AZURITE_ACCOUNT: &str = "devstoreaccount";

/// The key of the first account, published in Azurite's documentation: no secret.
const AZURITE_KEY: &[u8] =
    b"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Whether `name` is an account of Azurite's.
pub(super) fn is_azurite_account(name: &str) -> bool {
    let number = name.strip_prefix(AZURITE_ACCOUNT).unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Authorizes every try of a request with Azurite's key.
#[derive(Debug)]
pub(super) struct SharedKeyPolicy {
    service: StorageService,
    account: String,
}

impl SharedKeyPolicy {
    /// The policy for requests to `service` of `account`; the service decides what is signed.
    pub(super) fn new(service: StorageService, account: &str) -> Self {
        Self { service, account: account.to_owned() }
    }

    /// What is signed of `request`.
    fn text(&self, request: &Request) -> String {
        let resource = format!("/{}{}", self.account, request.url().path());
        match self.service {
            StorageService::Blob => blob_text(request, &resource),
            StorageService::Table => table_text(request, &resource),
        }
    }
}

#[expect(elided_lifetimes_in_paths, reason = "the trait hides this lifetime, so must we")]
#[async_trait]
impl Policy for SharedKeyPolicy {
    async fn send(
        &self,
        context: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        request.insert_header(MS_DATE, http_date());
        let signature = signature(&self.text(request))?;
        request.insert_header(AUTHORIZATION, format!("SharedKey {}:{signature}", self.account));
        let (transport, rest) = next.split_first().ok_or_else(|| ErrorKind::Other.into_error())?;
        transport.send(context, request, rest).await
    }
}

/// What is signed of a request to Table Storage ("Authorize with Shared Key", Table service).
fn table_text(request: &Request, resource: &str) -> String {
    let parts = [
        request.method().as_str(),
        header(request, "content-md5"),
        header(request, "content-type"),
        header(request, "x-ms-date"),
        // Of the query only `comp` counts, which none of our calls has.
        resource,
    ];
    parts.join("\n")
}

/// What is signed of a request to Blob Storage ("Authorize with Shared Key", version 2015-02-21).
fn blob_text(request: &Request, resource: &str) -> String {
    let length = request.body().len().filter(|length| *length > 0);
    let length = length.map(|length| length.to_string()).unwrap_or_default();
    let mut lines = vec![
        request.method().as_str(),
        header(request, "content-encoding"),
        header(request, "content-language"),
        &length,
        header(request, "content-md5"),
        header(request, "content-type"),
        "", // the date stands in x-ms-date
        header(request, "if-modified-since"),
        header(request, "if-match"),
        header(request, "if-none-match"),
        header(request, "if-unmodified-since"),
        header(request, "range"),
    ];
    let own = request.headers().iter().filter(|(name, _)| name.as_str().starts_with("x-ms-"));
    let own = sorted(own.map(|(name, value)| format!("{}:{}", name.as_str(), value.as_str())));
    let query = sorted(
        request.url().query_pairs().map(|(name, value)| format!("{}:{value}", name.to_lowercase())),
    );
    lines.extend(own.iter().map(String::as_str));
    lines.push(resource);
    lines.extend(query.iter().map(String::as_str));
    lines.join("\n")
}

fn header<'a>(request: &'a Request, name: &'static str) -> &'a str {
    request.headers().get_optional_str(&HeaderName::from_static(name)).unwrap_or_default()
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.collect();
    lines.sort_unstable();
    lines
}

fn signature(text: &str) -> azure_core::Result<String> {
    let key = BASE64.decode(AZURITE_KEY).with_kind(ErrorKind::DataConversion)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).with_kind(ErrorKind::DataConversion)?;
    mac.update(text.as_bytes());
    Ok(BASE64.encode(&mac.finalize().into_bytes()))
}

fn http_date() -> String {
    let seconds = i64::try_from(SystemClock.now().as_secs()).unwrap_or_default();
    to_rfc7231(&OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use azure_core::http::{Method, Url};

    use super::*;

    fn signed(service: StorageService, request: &Request) -> String {
        SharedKeyPolicy::new(service, "devstoreaccount1").text(request)
    }

    fn request(method: Method, url: &str, headers: &[(&'static str, &'static str)]) -> Request {
        let mut request = Request::new(Url::parse(url).unwrap(), method);
        for (name, value) in headers {
            request.insert_header(*name, *value);
        }
        request
    }

    #[test]
    fn a_request_to_tables_is_signed_by_its_date_and_path() {
        let url = "http://127.0.0.1:10002/devstoreaccount1/t()?$filter=PartitionKey%20eq%20'p'";
        let request = request(
            Method::Get,
            url,
            &[("x-ms-date", "Sun, 11 Oct 2026 08:49:13 GMT"), ("x-ms-version", "2019-02-02")],
        );

        assert_eq!(
            signed(StorageService::Table, &request),
            "GET\n\n\nSun, 11 Oct 2026 08:49:13 GMT\n/devstoreaccount1/devstoreaccount1/t()"
        );
    }

    /// The example of "Authorize with Shared Key" for listing, with Azurite's account and path.
    #[test]
    fn a_request_to_blobs_is_signed_by_its_headers_path_and_query() {
        let url = "http://127.0.0.1:10000/devstoreaccount1/mycontainer\
                   ?restype=container&comp=metadata&timeout=20";
        let request = request(
            Method::Get,
            url,
            &[("x-ms-version", "2014-02-14"), ("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT")],
        );

        assert_eq!(
            signed(StorageService::Blob, &request),
            "GET\n\n\n\n\n\n\n\n\n\n\n\n\
             x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2014-02-14\n\
             /devstoreaccount1/devstoreaccount1/mycontainer\n\
             comp:metadata\nrestype:container\ntimeout:20"
        );
    }

    #[test]
    fn the_length_of_a_body_is_signed_unless_it_is_empty() {
        let url = "http://127.0.0.1:10000/devstoreaccount1/c/b";
        let mut put = request(Method::Put, url, &[("content-type", "text/plain")]);

        assert!(signed(StorageService::Blob, &put).starts_with("PUT\n\n\n\n\ntext/plain\n"));
        put.set_body("text");
        assert!(signed(StorageService::Blob, &put).starts_with("PUT\n\n\n4\n\ntext/plain\n"));
    }

    #[test]
    fn another_account_of_azurite_has_a_number_of_its_own() {
        let request = request(Method::Get, "http://127.0.0.1:1/devstoreaccount27/Tables", &[]);
        let policy = SharedKeyPolicy::new(StorageService::Table, "devstoreaccount27");

        assert!(policy.text(&request).ends_with("\n/devstoreaccount27/devstoreaccount27/Tables"));
        for (name, is_one) in [
            ("devstoreaccount1", true),
            ("devstoreaccount27", true),
            ("devstoreaccount", false),
            ("devstoreaccount1/x", false),
            ("mine", false),
            ("1", false),
        ] {
            assert_eq!(is_azurite_account(name), is_one, "{name}");
        }
    }

    /// Computed with `openssl dgst -sha256 -mac HMAC`.
    #[test]
    fn a_signature_is_the_one_that_openssl_makes() {
        let text =
            "GET\n\n\nSun, 11 Oct 2026 08:49:13 GMT\n/devstoreaccount1/devstoreaccount1/Tables";

        assert_eq!(signature(text).unwrap(), "9qgvZKgVAbzIlNpSDTHYPW2j+EjFK4CJP4dSRfhoRc8=");
    }
}
