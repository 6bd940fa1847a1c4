//! What a newcomer reads when the system serves: where it is, and how to point a client at it.

use std::fmt::{self, Display};

use oauth_fn::pages::ClientSetup;
use shared::base_url::PublicBaseUrl;

use crate::stack::{Data, Options};

/// The text, ready to print.
#[derive(Debug)]
pub struct Greeting<'a> {
    /// Where the system is.
    pub base_url: &'a PublicBaseUrl,
    /// How it was started.
    pub options: &'a Options,
}

impl Display for Greeting<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base_url, options } = self;
        writeln!(formatter, "Serving the whole system on {base_url}\n")?;
        writeln!(formatter, "  MCP endpoint   {}", base_url.resource())?;
        writeln!(formatter, "  Sign in as     {}", people(options))?;
        writeln!(formatter, "  Connected      {}", base_url.at("/account"))?;
        writeln!(formatter, "  Data           {}\n", place(&options.data))?;
        for ClientSetup { client, place, text } in ClientSetup::all(base_url) {
            writeln!(formatter, "{client} ({place}):")?;
            for line in text.lines() {
                writeln!(formatter, "    {line}")?;
            }
            writeln!(formatter)?;
        }
        writeln!(formatter, "Try it without a client, in a second terminal: {}", demo(base_url))?;
        write!(formatter, "Press Ctrl-C to stop.")
    }
}

fn people(options: &Options) -> String {
    match options.sign_in_as {
        Some(person) => format!("{}, without being asked", person.as_str()),
        None => {
            "alice or bob, without a password (mallory is of another tenant: refused)".to_owned()
        }
    }
}

fn place(data: &Data) -> String {
    match data {
        Data::Azure { account, keys } => {
            let keys = keys.as_ref().map_or("memory".to_owned(), |path| path.display().to_string());
            format!("{} and {}; keys in {keys}", account.tables(), account.blobs())
        }
        Data::Directory(path) => path.display().to_string(),
        Data::Memory => "in memory; nothing is kept".to_owned(),
    }
}

fn demo(base_url: &PublicBaseUrl) -> String {
    if base_url.authority() == crate::command_line::DEFAULT_LISTEN {
        "cargo run -- demo".to_owned()
    } else {
        format!("cargo run -- demo --url {base_url}")
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::azure::AzureAccount;

    fn greeting(base_url: &str, options: &Options) -> String {
        let base_url = PublicBaseUrl::try_from(base_url).unwrap();
        Greeting { base_url: &base_url, options }.to_string()
    }

    #[test]
    fn a_newcomer_reads_the_url_the_users_the_data_and_every_client() {
        let data = Data::Directory(PathBuf::from(".local/"));

        let text = greeting("http://127.0.0.1:8787", &Options { data, ..Options::default() });

        for part in [
            "http://127.0.0.1:8787/mcp",
            "alice or bob",
            ".local/",
            "VS Code",
            "Claude Code",
            "Cursor",
            "MCP Inspector",
            "cargo run -- demo\n",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn whoever_keeps_data_in_azure_reads_in_which_account_and_where_the_keys_are() {
        let none: [(&str, &str); 0] = [];
        let account = Box::new(AzureAccount::read(&none).unwrap());
        let data = Data::Azure { account, keys: Some(PathBuf::from(".local/")) };

        let text = greeting("http://127.0.0.1:8787", &Options { data, ..Options::default() });

        assert!(text.contains("http://127.0.0.1:10002/devstoreaccount1"), "{text}");
        assert!(text.contains("keys in .local/"), "{text}");
    }

    #[test]
    fn a_demo_elsewhere_needs_its_url() {
        let text = greeting("http://127.0.0.1:9000", &Options::default());

        assert!(text.contains("demo --url http://127.0.0.1:9000"), "{text}");
    }
}
