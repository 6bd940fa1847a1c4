//! A record as Table Storage writes it: JSON in which every column of ours is `Edm.Binary`.

use std::collections::BTreeMap;

use azure_core::error::{ErrorKind, ResultExt};
use azure_core::http::RawResponse;
use azure_core::http::headers::HeaderName;
use data_encoding::BASE64;
use serde::Deserialize;

use crate::storage::{Address, Key, Place, Record, Version, Versioned};

const BINARY: &str = "Edm.Binary";
const NEXT_PARTITION: HeaderName = HeaderName::from_static("x-ms-continuation-nextpartitionkey");
const NEXT_ROW: HeaderName = HeaderName::from_static("x-ms-continuation-nextrowkey");

/// Properties by name. Everything that we write, and all that Azure adds, is text.
type Properties = BTreeMap<String, String>;

/// The entity that holds `record` at `address`.
pub(super) fn write(address: &Address, record: &Record) -> Properties {
    let mut properties = Properties::from([
        ("PartitionKey".to_owned(), address.partition.as_str().to_owned()),
        ("RowKey".to_owned(), address.row.as_str().to_owned()),
    ]);
    for (name, bytes) in record.columns() {
        properties.insert(type_of(name), BINARY.to_owned());
        properties.insert(name.to_owned(), BASE64.encode(bytes));
    }
    properties
}

/// The record in the answer to a point read.
pub(super) fn read(response: &RawResponse) -> azure_core::Result<Versioned> {
    Ok(versioned(response.body().json()?)?.2)
}

/// One answer to the question what a table or a partition holds.
#[derive(Debug, Default)]
pub(super) struct Entities {
    /// The records, with partition key and row key, in the order of both.
    pub(super) entities: Vec<(Key, Key, Versioned)>,
    /// Where the next answer begins, if there is one.
    pub(super) next: Option<Place>,
}

impl Entities {
    /// The entities in the answer to a query.
    pub(super) fn read(response: &RawResponse) -> azure_core::Result<Self> {
        #[derive(Deserialize)]
        struct Body {
            value: Vec<Properties>,
        }
        let body: Body = response.body().json()?;
        let entities = body.value.into_iter().map(versioned).collect::<Result<_, _>>()?;
        let headers = response.headers();
        let next = headers.get_optional_string(&NEXT_PARTITION).map(|partition| Place {
            partition,
            row: headers.get_optional_string(&NEXT_ROW).unwrap_or_default(),
        });
        Ok(Self { entities, next })
    }
}

fn versioned(mut properties: Properties) -> azure_core::Result<(Key, Key, Versioned)> {
    let version = Version::new(take(&mut properties, "odata.etag")?);
    let partition = Key::from_store(take(&mut properties, "PartitionKey")?);
    let row = Key::from_store(take(&mut properties, "RowKey")?);
    let mut record = Record::default();
    for (name, value) in &properties {
        if properties.get(&type_of(name)).is_some_and(|kind| kind == BINARY) {
            let bytes = BASE64.decode(value.as_bytes()).with_kind(ErrorKind::DataConversion)?;
            record = record.with(name, bytes);
        }
    }
    Ok((partition, row, Versioned { record, version }))
}

fn take(properties: &mut Properties, name: &'static str) -> azure_core::Result<String> {
    properties.remove(name).ok_or_else(|| {
        azure_core::Error::with_message(ErrorKind::DataConversion, format!("it has no {name}"))
    })
}

fn type_of(name: &str) -> String {
    format!("{name}@odata.type")
}

#[cfg(test)]
mod tests {
    use azure_core::http::StatusCode;
    use azure_core::http::headers::Headers;

    use super::*;
    use crate::storage::TableName;

    fn answer(headers: &[(&'static str, &'static str)], body: &'static str) -> RawResponse {
        let mut all = Headers::new();
        for (name, value) in headers {
            all.insert(*name, *value);
        }
        RawResponse::from_bytes(StatusCode::Ok, all, body)
    }

    #[test]
    fn every_column_is_written_as_binary_beside_the_keys() {
        let address =
            Address { table: TableName::word("t"), partition: Key::word("p"), row: Key::word("r") };

        let written = write(&address, &Record::default().with("claims", vec![0xff, 0x00]));

        assert_eq!(
            serde_json::to_string(&written).unwrap(),
            r#"{"PartitionKey":"p","RowKey":"r","claims":"/wA=","claims@odata.type":"Edm.Binary"}"#
        );
    }

    #[test]
    fn a_record_is_read_with_its_entity_tag_and_without_what_azure_adds() {
        let found = read(&answer(
            &[],
            r#"{"odata.metadata":"https://acct.table.core.windows.net/$metadata#t/@Element",
                "odata.etag":"W/\"datetime'2026-11-22T00%3A00%3A00Z'\"",
                "PartitionKey":"p","RowKey":"r","Timestamp":"2026-11-22T00:00:00Z",
                "claims@odata.type":"Edm.Binary","claims":"/wA="}"#,
        ))
        .unwrap();

        assert_eq!(found.version.as_str(), "W/\"datetime'2026-11-22T00%3A00%3A00Z'\"");
        assert_eq!(found.record, Record::default().with("claims", vec![0xff, 0x00]));
    }

    #[test]
    fn a_page_tells_where_the_next_one_begins() {
        let body = r#"{"value":[{"odata.etag":"1","PartitionKey":"p","RowKey":"r"}]}"#;
        let more = [
            ("x-ms-continuation-nextpartitionkey", "1!4!cA--"),
            ("x-ms-continuation-nextrowkey", "1!4!cg--"),
        ];

        let page = Entities::read(&answer(&more, body)).unwrap();
        let last = Entities::read(&answer(&[], body)).unwrap();

        let (partition, row, _) = &page.entities[0];
        assert_eq!((partition.as_str(), row.as_str()), ("p", "r"));
        let next = Place { partition: "1!4!cA--".to_owned(), row: "1!4!cg--".to_owned() };
        assert_eq!(page.next, Some(next));
        assert_eq!(last.next, None);
    }

    #[test]
    fn what_is_no_record_of_ours_is_an_error() {
        for body in [
            "",
            "<html>",
            "{}",
            r#"{"odata.etag":"1","PartitionKey":"p","RowKey":"r","n":1}"#,
            r#"{"odata.etag":"1","PartitionKey":"p","c":"/wA=","c@odata.type":"Edm.Binary"}"#,
            r#"{"odata.etag":"1","PartitionKey":"p","RowKey":"r","c":"%","c@odata.type":"Edm.Binary"}"#,
        ] {
            assert!(read(&answer(&[], body)).is_err(), "{body}");
        }
    }
}
