//! `cargo run -- package`: both apps as the Functions host takes them, a zip each.

mod archive;
mod binary;
mod compile;
mod toolchain;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::command_line::Package;
use crate::say;

use archive::ArchiveError;
use binary::Unfit;
use compile::{CompileError, Compiler};
use toolchain::{MissingTools, Toolchain};

pub use toolchain::Libc;

/// The apps that are deployed.
const APPS: [&str; 2] = ["oauth-fn", "mcp-fn"];

/// What goes into every package as it lies in the repository.
const FILES: [&str; 2] = ["host.json", "http/function.json"];

/// The largest package, in bytes.
const LARGEST: u64 = 8_000_000;

/// Builds both apps, packs each with what the Functions host reads, checks the packages, and says
/// how large they are.
///
/// # Errors
/// A tool is missing, the build fails, or a package is not what the Functions host takes.
pub fn run(flags: &Package) -> Result<(), PackageError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let toolchain = Toolchain::find(flags.libc)?;
    say::line(format_args!("Building {} for {toolchain}", APPS.join(" and ")));
    let compiler = Compiler::new(root, toolchain);
    compiler.build(&APPS)?;
    let dist = root.join("dist");
    fs::create_dir_all(&dist).map_err(|source| PackageError::file(&dist, source))?;
    for app in APPS {
        let path = dist.join(format!("{app}.zip"));
        pack(root, &compiler.binary(app), &path)?;
        let (size, handler) = check(&path, &compiler.private_paths())?;
        say::line(format_args!(
            "  \u{2713} {} {} of {} MB; handler {} MB, x86_64, static",
            Path::new("dist").join(format!("{app}.zip")).display(),
            megabytes(size),
            megabytes(LARGEST),
            megabytes(handler),
        ));
    }
    Ok(())
}

fn pack(root: &Path, binary: &Path, package: &Path) -> Result<(), PackageError> {
    let read = |path: &Path| fs::read(path).map_err(|source| PackageError::file(path, source));
    let mut files = vec![(archive::HANDLER, read(binary)?)];
    for name in FILES {
        files.push((name, read(&root.join(name))?));
    }
    let written = archive::write(files).and_then(|bytes| Ok(fs::write(package, bytes)?));
    written.map_err(|source| PackageError::archive(package, source))
}

/// Reads the package back, as whoever unpacks it does, and gives its size and its handler's.
fn check(package: &Path, private_paths: &[String]) -> Result<(u64, u64), PackageError> {
    let bytes = fs::read(package).map_err(|source| PackageError::file(package, source))?;
    let handler = archive::handler_in(&bytes, &FILES)
        .map_err(|source| PackageError::archive(package, source))?;
    let unfit = |source| PackageError::Unfit { package: package.to_owned(), source };
    binary::check(&handler, private_paths).map_err(unfit)?;
    let size = bytes.len() as u64;
    if size > LARGEST {
        return Err(unfit(Unfit::TooLarge { size, most: LARGEST }));
    }
    Ok((size, handler.len() as u64))
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Why there are no packages.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The package cannot be written, or does not hold what it should.
    #[error("the package {} is not good", .package.display())]
    Archive {
        /// The package.
        package: PathBuf,
        /// What is wrong.
        source: ArchiveError,
    },
    /// The build failed.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A file cannot be read or written.
    #[error("the file {} cannot be read or written", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Something has to be installed first.
    #[error(transparent)]
    Tools(#[from] MissingTools),
    /// The handler would not start on Azure, or should not be given away.
    #[error("the package {} is not fit for Azure", .package.display())]
    Unfit {
        /// The package.
        package: PathBuf,
        /// What is wrong.
        source: Unfit,
    },
}

impl PackageError {
    fn archive(package: &Path, source: ArchiveError) -> Self {
        Self::Archive { package: package.to_owned(), source }
    }

    fn file(file: &Path, source: io::Error) -> Self {
        Self::File { file: file.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_tenths_of_megabytes_and_never_too_small() {
        let told = [0, 1, 100_000, 100_001, 8_000_000].map(megabytes);

        assert_eq!(told, ["0.0", "0.1", "0.1", "0.2", "8.0"]);
    }

    #[test]
    fn what_is_packed_is_checked_as_it_lies_on_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let (binary, package) = (directory.path().join("app"), directory.path().join("app.zip"));
        fs::write(&binary, "no program").unwrap();

        pack(Path::new(env!("CARGO_MANIFEST_DIR")), &binary, &package).unwrap();
        let checked = check(&package, &[]);

        assert!(matches!(checked, Err(PackageError::Unfit { source: Unfit::NotElf, .. })));
    }
}
