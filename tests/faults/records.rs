//! Table Storage in memory, as far as our verbs need it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use shared::azure::StorageService;
use shared::storage::TableName;

use crate::account::Service;
use crate::http::{Answer, Request};

/// How many entities one answer holds.
const PAGE: usize = 2;

type Entity = Map<String, Value>;
type Keys = (String, String);

/// The tables of an account, each with its entities, of which each has a number that changes with
/// every write.
#[derive(Debug, Default)]
pub(crate) struct Records {
    tables: BTreeMap<String, BTreeMap<Keys, (Entity, u64)>>,
    /// Those that were dropped: they go on being deleted to the end of the test.
    being_deleted: BTreeSet<String>,
    writes: u64,
}

impl Records {
    pub(crate) fn add_tables(&mut self, tables: &[TableName]) {
        self.tables.extend(tables.iter().map(|table| (table.as_str().to_owned(), BTreeMap::new())));
    }

    pub(crate) fn forget_tables(&mut self) {
        self.tables.clear();
    }

    pub(crate) fn has_table(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    /// The entity in the row `row`, wherever it is.
    pub(crate) fn row(&self, row: &str) -> Option<&Entity> {
        let mut entities = self.tables.values().flatten();
        entities.find(|((_, found), _)| found == row).map(|(_, (entity, _))| entity)
    }

    /// Every entity, with how often it was written.
    pub(crate) fn snapshot(&self) -> Vec<(Keys, u64)> {
        let entities = self.tables.values().flatten();
        entities.map(|(keys, (_, number))| (keys.clone(), *number)).collect()
    }

    fn create_table(&mut self, request: &Request) -> Answer {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let table = body["TableName"].as_str().unwrap().to_owned();
        if self.being_deleted.contains(&table) {
            return Self::refusal(409, "TableBeingDeleted");
        }
        if self.tables.contains_key(&table) {
            return Self::refusal(409, "TableAlreadyExists");
        }
        self.tables.insert(table, BTreeMap::new());
        Answer::new(204)
    }

    fn drop_table(&mut self, table: &str) -> Answer {
        if self.being_deleted.contains(table) {
            return Self::refusal(409, "TableBeingDeleted");
        }
        if self.tables.remove(table).is_none() {
            return Self::refusal(404, "ResourceNotFound");
        }
        self.being_deleted.insert(table.to_owned());
        Answer::new(204)
    }

    fn insert(&mut self, table: &str, request: &Request) -> Answer {
        let (keys, entity) = entity(&request.body);
        let number = self.next_number();
        let entities = self.tables.get_mut(table).unwrap();
        if entities.contains_key(&keys) {
            return Self::refusal(409, "EntityAlreadyExists");
        }
        entities.insert(keys, (entity, number));
        Answer::new(204)
    }

    fn at_keys(&mut self, table: &str, keys: &Keys, request: &Request) -> Answer {
        let number = self.next_number();
        let entities = self.tables.get_mut(table).unwrap();
        let Some((_, found)) = entities.get(keys) else {
            return Self::refusal(404, "ResourceNotFound");
        };
        let wanted = request.header("if-match");
        if wanted.is_some_and(|wanted| wanted != "*" && wanted != tag(*found)) {
            return Self::refusal(412, "UpdateConditionNotSatisfied");
        }
        match request.method.as_str() {
            "GET" => {
                let (entity, number) = &entities[keys];
                json_answer(&Value::Object(tagged(entity, *number)))
            }
            "PUT" => {
                assert!(wanted.is_some(), "a replacement without a version");
                entities.insert(keys.clone(), (entity(&request.body).1, number));
                Answer::new(204)
            }
            "DELETE" => {
                entities.remove(keys);
                Answer::new(204)
            }
            method => panic!("{method}"),
        }
    }

    fn query(&self, table: &str, request: &Request) -> Answer {
        let asked = |name: &str| request.query.get(name).cloned().unwrap_or_default();
        let begin = (asked("NextPartitionKey"), asked("NextRowKey"));
        let partition = request.query.get("$filter").map(|filter| {
            filter
                .strip_prefix("PartitionKey eq '")
                .and_then(|rest| rest.strip_suffix('\''))
                .unwrap()
        });
        let mut found = self.tables[table]
            .range(begin..)
            .filter(|((found, _), _)| partition.is_none_or(|partition| partition == found));
        let page: Vec<_> = found.by_ref().take(PAGE).collect();
        let value: Vec<_> =
            page.iter().map(|(_, (entity, number))| tagged(entity, *number)).collect();
        let answer = json_answer(&json!({ "value": value }));
        match found.next() {
            None => answer,
            Some(((partition, row), _)) => answer
                .with("x-ms-continuation-nextpartitionkey", partition)
                .with("x-ms-continuation-nextrowkey", row),
        }
    }

    fn next_number(&mut self) -> u64 {
        self.writes += 1;
        self.writes
    }
}

impl Service for Records {
    const SERVICE: StorageService = StorageService::Table;
    const SETTING: &'static str = "SESSION_TABLES_ENDPOINT";

    fn answer(&mut self, request: &Request) -> Answer {
        let path = request.path.as_str();
        if path == "Tables" {
            return self.create_table(request);
        }
        if let Some(table) = path.strip_prefix("Tables('").and_then(|rest| rest.strip_suffix("')"))
        {
            return self.drop_table(table);
        }
        let (table, rest) = path.split_once('(').unwrap_or((path, ""));
        if self.being_deleted.contains(table) {
            return Self::refusal(409, "TableBeingDeleted");
        }
        if !self.tables.contains_key(table) {
            return Self::refusal(404, "TableNotFound");
        }
        match (request.method.as_str(), rest) {
            ("POST", "") => self.insert(table, request),
            ("GET", ")") => self.query(table, request),
            (_, keys) => self.at_keys(table, &quoted_keys(keys), request),
        }
    }

    /// Table Storage says the code in the body.
    fn refusal(status: u16, code: &str) -> Answer {
        let error =
            json!({ "code": code, "message": { "lang": "en-US", "value": "It is refused." } });
        Answer::new(status).body("application/json", json!({ "odata.error": error }).to_string())
    }
}

/// The keys in `PartitionKey='p',RowKey='r')`.
fn quoted_keys(text: &str) -> Keys {
    let inner = text.strip_prefix("PartitionKey='").and_then(|rest| rest.strip_suffix("')"));
    let (partition, row) = inner.unwrap().split_once("',RowKey='").unwrap();
    (partition.to_owned(), row.to_owned())
}

fn entity(body: &[u8]) -> (Keys, Entity) {
    let entity: Entity = serde_json::from_slice(body).unwrap();
    let key = |name: &str| entity[name].as_str().unwrap().to_owned();
    ((key("PartitionKey"), key("RowKey")), entity)
}

fn tag(number: u64) -> String {
    format!("W/\"datetime'{number}'\"")
}

fn tagged(entity: &Entity, number: u64) -> Entity {
    let mut entity = entity.clone();
    entity.insert("odata.etag".to_owned(), tag(number).into());
    entity
}

fn json_answer(value: &Value) -> Answer {
    Answer::new(200).body("application/json;odata=minimalmetadata", value.to_string())
}
