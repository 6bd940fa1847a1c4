//! A package as it is deployed, unpacked and checked.

mod function_json;
mod host_json;
mod program;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tempfile::TempDir;
use zip::ZipArchive;
use zip::result::ZipError;

pub use function_json::{AuthLevel, Function};
pub use host_json::HostSettings;

/// A package that the host takes, unpacked into a directory that ends with it.
#[derive(Debug)]
pub struct Package {
    directory: TempDir,
    size: u64,
    settings: HostSettings,
    function: Function,
}

/// Which programs are taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Programs {
    /// Those that start on any Linux on `x86_64`.
    Static,
    /// Whatever this machine runs, for the tests of the host itself.
    Native,
}

impl Package {
    /// The package in the zip at `path`.
    ///
    /// # Errors
    /// The host would not start its handler, or would not send it requests as they came.
    pub fn open(path: &Path, programs: Programs) -> Result<Self, Refused> {
        let size = fs::metadata(path)?.len();
        let mut zip = ZipArchive::new(File::open(path)?)?;
        let settings = host_json::read(&json(&mut zip, "host.json")?)?;
        let name = settings.executable.clone();
        check_mode(&mut zip, &name)?;
        let folders = zip.file_names().map(|name| Ok(name?.into_owned()));
        let folders: Vec<String> = folders.collect::<Result<_, ZipError>>()?;
        let functions: Vec<_> =
            folders.iter().filter(|name| name.ends_with("/function.json")).collect();
        let [function] = functions.as_slice() else {
            return Err(Refused::Functions(functions.len()));
        };
        let function = function_json::read(json(&mut zip, function)?)?;
        let directory = tempfile::tempdir()?;
        zip.extract(directory.path())?;
        if programs == Programs::Static {
            program::check(&fs::read(directory.path().join(&name))?)?;
        }
        Ok(Self { directory, size, settings, function })
    }

    /// Its size, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where it lies, unpacked.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The program that serves.
    pub fn program(&self) -> PathBuf {
        self.directory.path().join(&self.settings.executable)
    }

    /// What `host.json` says.
    pub fn settings(&self) -> &HostSettings {
        &self.settings
    }

    /// What `function.json` says.
    pub fn function(&self) -> &Function {
        &self.function
    }
}

fn json<T: DeserializeOwned>(zip: &mut ZipArchive<File>, name: &str) -> Result<T, Refused> {
    let file = match zip.by_name(name) {
        Err(ZipError::FileNotFound) => return Err(Refused::Missing(name.to_owned())),
        found => found?,
    };
    serde_json::from_reader(file).map_err(|source| Refused::Json { name: name.to_owned(), source })
}

fn check_mode(zip: &mut ZipArchive<File>, name: &str) -> Result<(), Refused> {
    let mode = match zip.by_name(name) {
        Err(ZipError::FileNotFound) => return Err(Refused::Missing(name.to_owned())),
        found => found?.unix_mode().unwrap_or_default() & 0o777,
    };
    if mode == 0o755 { Ok(()) } else { Err(Refused::Mode { name: name.to_owned(), mode }) }
}

/// Why a package is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The trigger or its answer is not what requests need to be passed on as they came.
    #[error("function.json: {0}")]
    Function(&'static str),
    /// There is not exactly one function.
    #[error("there are {0} functions; there must be one, in a folder of its own")]
    Functions(usize),
    /// The settings do not make the host pass requests on.
    #[error("host.json: {0}")]
    Host(&'static str),
    /// The package cannot be read or unpacked.
    #[error("the package cannot be read")]
    Io(#[from] io::Error),
    /// A document is not one, or has members that the host does not know.
    #[error("{name} cannot be read")]
    Json {
        /// The document.
        name: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// A file is not there.
    #[error("{0} is not in the package")]
    Missing(String),
    /// The program cannot be executed.
    #[error("{name} has the mode {mode:o}, not 755")]
    Mode {
        /// The program.
        name: String,
        /// Its mode.
        mode: u32,
    },
    /// The program does not start on the machines of Azure.
    #[error("the handler {0}")]
    Program(&'static str),
    /// It is no zip.
    #[error("the package is no zip")]
    Zip(#[from] ZipError),
}
