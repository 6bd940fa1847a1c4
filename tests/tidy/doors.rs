//! Each outside thing has one door: only there is it spoken of in product code.

use crate::source::Source;

/// A thing, the places that may know it, and the words that betray it.
struct Door {
    thing: &'static str,
    places: &'static [&'static str],
    words: &'static [&'static str],
}

const DOORS: [Door; 14] = [
    Door {
        thing: "time",
        places: &["shared/src/clock.rs"],
        words: &["SystemTime::now", "UtcDateTime::now", "OffsetDateTime::now"],
    },
    Door { thing: "the environment", places: &["shared/src/config.rs"], words: &["std::env"] },
    Door { thing: "AES-GCM", places: &["shared/src/seal/"], words: &["aes_gcm"] },
    Door {
        thing: "randomness",
        places: &["shared/src/secret.rs"],
        words: &["getrandom::", "use rand::"],
    },
    Door {
        thing: "logs",
        places: &["shared/src/telemetry/", "local/"],
        words: &["tracing_subscriber::"],
    },
    Door { thing: "telemetry", places: &["shared/src/telemetry/"], words: &["opentelemetry"] },
    Door {
        thing: "the audit",
        places: &["oauth-fn/src/audit.rs", "mcp-fn/src/auth/mod.rs"],
        words: &["audit = ", "target: \"audit\""],
    },
    Door {
        thing: "Entra ID",
        places: &["oauth-fn/src/upstream/", "local/"],
        words: &["oauth2::", "jsonwebtoken::"],
    },
    Door {
        thing: "Azure",
        places: &["shared/src/azure/", "shared/src/storage/azure", "mcp-fn/src/snippets/azure"],
        words: &["azure_core", "azure_identity", "azure_storage_blob", "typespec_client_core"],
    },
    Door { thing: "Key Vault", places: &["local/key_vault.rs", "tests/"], words: &["/secrets/"] },
    Door {
        thing: "the websites of clients",
        places: &["oauth-fn/src/documents/"],
        words: &["lookup_host", "ToSocketAddrs", "reqwest::dns"],
    },
    Door {
        thing: "a stand-in for the internet",
        places: &["oauth-fn/src/documents/", "tests/"],
        words: &["StandInNetwork", "standing_in"],
    },
    Door { thing: "the embedded store", places: &["local/"], words: &["redb"] },
    Door {
        thing: "the development identity provider",
        places: &["local/"],
        words: &["identity_provider", "dev-idp"],
    },
];

/// One line for each place in `source` that goes past a door.
pub(crate) fn breaches(source: &Source) -> Vec<String> {
    let doors = DOORS.iter().filter(|door| !source.is_in(door.places));
    let breaches = doors.flat_map(|Door { thing, places, words }| {
        let says = format!("{thing} has one door: {}", places.join(", "));
        let past = |line: &str| words.iter().any(|word| line.contains(word));
        let lines = source.product_code().filter(move |(_, line)| past(line));
        lines.map(move |(number, _)| source.breach(&says, number))
    });
    breaches.collect()
}

#[test]
fn each_word_is_caught_where_it_may_not_be() {
    for word in DOORS.iter().flat_map(|door| door.words) {
        let past = Source::new("oauth-fn/src/grant/mod.rs", &format!("//! A.\nuse {word};\n"));

        assert_eq!(breaches(&past).len(), 1, "{word}");
    }
}

#[test]
fn each_door_is_there() {
    let sources = Source::all();

    for place in DOORS.iter().flat_map(|door| door.places) {
        assert!(sources.iter().any(|source| source.is_in(&[place])), "{place} is gone");
    }
}
