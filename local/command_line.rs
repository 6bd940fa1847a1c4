//! The commands and their flags.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use oauth_fn::administration::UserName;
use oauth_fn::limits::REQUESTS_PER_MINUTE;
use oauth_fn::protocol::client_id_url::DocumentPolicy;
use url::Url;

use crate::identity_provider::Person;
use crate::package::Libc;

/// The port that documents and examples name.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8787";

const EXAMPLES: &str = "\
Examples:
  cargo run                                     serve on http://127.0.0.1:8787, keep data in .local/
  cargo run -- --memory --sign-in-as alice      keep nothing, sign in without the page
  cargo run -- --listen 127.0.0.1:9000 --data /tmp/two
  cargo run -- --azure                          keep data in Azurite, once it is started:
                        npx azurite --skipApiVersionCheck --location .local/azurite
  cargo run -- demo                             walk the whole flow and print each step
  cargo run -- package                          build both apps for Azure Functions, into dist/
  cargo run -- sessions list                    who is connected, through which client
  cargo run -- sessions revoke --client ID      end every session of a client
  cargo run -- rotate-keys grant-keys           put a new key into the vault of a deployed system
  cargo run -- smoke https://mcp.example.com    look at a deployed system from outside

Point an MCP client at http://127.0.0.1:8787/mcp; the server prints ready-made configurations.";

/// A remote MCP server with its own OAuth 2.1 authorization server, whole on this machine.
///
/// Serves the gateway, oauth-fn, mcp-fn, an embedded store and a development identity provider,
/// which stands for Microsoft Entra ID, in one process. Nothing else has to be installed.
///
/// With --azure, the store is the one of the deployed apps: Azure Tables and Blobs, of the account
/// that `SESSION_TABLES_ENDPOINT` and `BLOBS_ENDPOINT` name, with the Azure credentials of this
/// machine, or of Azurite on its usual ports. Name an account that no deployed system uses: anybody
/// who works on this machine can sign in here as anybody.
#[derive(Debug, Parser)]
#[command(name = "local", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct CommandLine {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub serve: Serve,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Walk the whole flow with an independent MCP client and print each step.
    ///
    /// Discovers, registers, authorizes, consents, signs in, gets tokens, lists the tools, saves
    /// and gets a snippet, refreshes and revokes, all through real HTTP. Ends with an error at
    /// the first step that fails.
    Demo(Demo),
    /// Build both apps for Azure Functions: dist/oauth-fn.zip and dist/mcp-fn.zip.
    ///
    /// The programs are static ones for Linux on `x86_64`, from any machine that has the Rust target
    /// for musl and a C compiler for it; what is missing is named with the command that brings it.
    Package(Package),
    /// List or end the sessions of users.
    ///
    /// Works on the data directory of a system that is stopped; or, where `SESSION_TABLES_ENDPOINT`
    /// is set, on the tables of a deployed one, with `GRANT_KEYS` from its Key Vault and the Azure
    /// credentials of this machine.
    #[command(subcommand)]
    Sessions(Sessions),
    /// Put a new key into a key ring of a deployed system, before the ones that it has.
    ///
    /// Reads and writes the secret in its Key Vault with the Azure credentials of this machine, which
    /// need the role Key Vault Secrets Officer, and says what to do next. No session ends.
    RotateKeys(RotateKeys),
    /// Look at a deployed system from outside, and print each step.
    ///
    /// Metadata, challenge, TLS, preflights, headers, the way to the consent page, and what must be
    /// refused. Nobody signs in and nothing is stored, so it may be run at any time. Ends with an
    /// error if anything is not as it should be.
    Smoke(Smoke),
}

/// Which ring is rotated, and where.
#[derive(Args, Clone, Debug)]
pub struct RotateKeys {
    /// The key ring, by the name of its secret
    #[arg(value_enum)]
    pub ring: Ring,
    /// The vault, `https://NAME.vault.azure.net` [default: what `AZURE_KEY_VAULT_ENDPOINT` says]
    #[arg(long, value_name = "URL")]
    pub vault: Option<String>,
    /// Add no key, but drop the oldest: once all that it sealed is over, 30 days after a rotation
    #[arg(long)]
    pub drop_oldest: bool,
}

/// A key ring of a deployed system.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Ring {
    /// Both apps have it: what oauth-fn seals with it, mcp-fn opens.
    SessionKeys,
    /// oauth-fn alone has it.
    GrantKeys,
}

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub enum Sessions {
    /// Print each connection that is meant, one a line; without a selection, all of them.
    List(SessionSelection),
    /// End each session that is meant. Its client has to ask the user again.
    Revoke(SessionRevocation),
}

/// Which sessions are meant.
#[derive(Args, Clone, Debug)]
pub struct SessionSelection {
    /// Those of this user: the ids of tenant and user in Entra ID
    #[arg(long, value_name = "TENANT/OBJECT", value_parser = |name: &str| UserName::try_from(name))]
    pub user: Option<UserName>,
    /// Those through this client: its `client_id`, or its name in the audit log
    #[arg(long, value_name = "CLIENT")]
    pub client: Option<String>,
    /// The data directory of a local system
    #[arg(long, value_name = "DIR", default_value = ".local/")]
    pub data: PathBuf,
    /// Those of a local system that was started with --azure: only its keys are in --data
    #[arg(long)]
    pub azure: bool,
}

/// Which sessions are to be ended.
#[derive(Args, Clone, Debug)]
pub struct SessionRevocation {
    /// The selection.
    #[command(flatten)]
    pub selection: SessionSelection,
    /// Everybody's: needed where neither a user nor a client is named
    #[arg(long, conflicts_with_all = ["user", "client"])]
    pub all: bool,
}

/// The flags of the demo.
#[derive(Args, Debug)]
pub struct Demo {
    /// The system to walk through [default: the one on 127.0.0.1:8787, or else an own in memory]
    #[arg(long, value_name = "URL")]
    pub url: Option<Url>,
}

/// The flags of the smoke test.
#[derive(Args, Debug)]
pub struct Smoke {
    /// The system
    #[arg(value_name = "URL")]
    pub url: Url,
}

/// The flags of packaging.
#[derive(Args, Clone, Debug)]
pub struct Package {
    /// The C library that is linked into the programs
    #[arg(long, value_enum, default_value_t)]
    pub libc: Libc,
}

/// The flags of serving.
#[derive(Args, Debug)]
pub struct Serve {
    /// Where to listen, on this machine only
    #[arg(long, value_name = "ADDR:PORT", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// Where to keep registrations, sessions, snippets and keys; survives restarts
    #[arg(long, value_name = "DIR", default_value = ".local/")]
    pub data: PathBuf,
    /// Keep everything in memory and nothing on disk
    #[arg(long, conflicts_with_all = ["data", "azure"])]
    pub memory: bool,
    /// Keep registrations, sessions and snippets in Azure Storage, and only the keys in --data
    #[arg(long)]
    pub azure: bool,
    /// Sign this user in without the page of the identity provider: alice, bob or mallory
    #[arg(long, value_name = "NAME", value_parser = |name: &str| Person::try_from(name))]
    pub sign_in_as: Option<Person>,
    /// Requests of one kind that one address may make in a minute; 0 for any number
    #[arg(long, value_name = "N", default_value_t = REQUESTS_PER_MINUTE.get())]
    pub requests_per_minute: u32,
    /// Hosts whose programs are known by the document at their `client_id`, or `off` where there is
    /// no internet [default: any public host]
    #[arg(
        long,
        value_name = "HOSTS",
        value_parser = |hosts: &str| DocumentPolicy::try_from(hosts)
    )]
    pub client_metadata_hosts: Option<DocumentPolicy>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn a_rotation_names_its_ring() {
        assert!(CommandLine::try_parse_from(["local", "rotate-keys"]).is_err());
        assert!(CommandLine::try_parse_from(["local", "rotate-keys", "client-keys"]).is_err());
        for ring in ["session-keys", "grant-keys"] {
            assert!(CommandLine::try_parse_from(["local", "rotate-keys", ring]).is_ok(), "{ring}");
        }
    }

    #[test]
    fn an_unknown_user_is_refused_with_the_known_ones() {
        let refused = CommandLine::try_parse_from(["local", "--sign-in-as", "carol"]).unwrap_err();

        assert!(refused.to_string().contains("alice, bob and mallory"), "{refused}");
    }

    #[test]
    fn memory_excludes_a_directory_and_an_account() {
        assert!(CommandLine::try_parse_from(["local", "--memory", "--data", "x"]).is_err());
        assert!(CommandLine::try_parse_from(["local", "--memory", "--azure"]).is_err());
        assert!(CommandLine::try_parse_from(["local", "--memory"]).is_ok());
        assert!(CommandLine::try_parse_from(["local", "--azure", "--data", "x"]).is_ok());
    }
}
