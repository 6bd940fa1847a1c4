//! The zip of a package: the same bytes for the same files, and one file that may be executed.

use std::io::{self, Cursor, Read, Write};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// The name of the program in every package.
pub(super) const HANDLER: &str = "handler";

/// The mode of the program, and of everything else.
const EXECUTABLE: u32 = 0o755;
const PLAIN: u32 = 0o644;

/// The zip of `files`, each with its name.
pub(super) fn write(mut files: Vec<(&str, Vec<u8>)>) -> Result<Vec<u8>, ArchiveError> {
    files.sort();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // The time of the build would make two packages of the same files differ.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default());
    for (name, bytes) in files {
        zip.start_file(name, options.unix_permissions(mode_of(name)))?;
        zip.write_all(&bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// The program in the package `zip`, which must hold `files` beside it and nothing else.
pub(super) fn handler_in(zip: &[u8], files: &[&str]) -> Result<Vec<u8>, ArchiveError> {
    let mut zip = ZipArchive::new(Cursor::new(zip))?;
    let mut expected: Vec<&str> = files.iter().copied().chain([HANDLER]).collect();
    expected.sort_unstable();
    let found = zip.file_names().map(|name| Ok(name?.into_owned()));
    let found = found.collect::<Result<Vec<String>, ZipError>>()?;
    if found != expected {
        return Err(ArchiveError::Files(found.join(", ")));
    }
    for name in expected {
        let found = zip.by_name(name)?.unix_mode().unwrap_or_default();
        if found & 0o777 != mode_of(name) {
            return Err(ArchiveError::Mode { name: name.to_owned(), found });
        }
    }
    let mut handler = Vec::new();
    zip.by_name(HANDLER)?.read_to_end(&mut handler)?;
    Ok(handler)
}

fn mode_of(name: &str) -> u32 {
    if name == HANDLER { EXECUTABLE } else { PLAIN }
}

/// Why a package cannot be written, or is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Other files are in it than should be.
    #[error("it holds {0}")]
    Files(String),
    /// The file system failed.
    #[error("it cannot be written")]
    Io(#[from] io::Error),
    /// A file would not be executed, or could be.
    #[error("{name} has the mode {found:o}")]
    Mode {
        /// The file.
        name: String,
        /// Its mode.
        found: u32,
    },
    /// It is no zip.
    #[error("it is no zip that can be read")]
    Zip(#[from] ZipError),
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [&str; 2] = ["host.json", "http/function.json"];

    fn package() -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("http/function.json", b"{}".to_vec()),
            ("host.json", b"{}".to_vec()),
            (HANDLER, b"program".to_vec()),
        ]
    }

    #[test]
    fn the_same_files_in_any_order_make_the_same_bytes() {
        let (mut one, mut other) = (package(), package());
        one.rotate_left(1);
        other.reverse();

        assert_eq!(write(one).unwrap(), write(other).unwrap());
    }

    #[test]
    fn the_program_comes_back_and_may_be_executed() {
        let zip = write(package()).unwrap();

        let mode =
            ZipArchive::new(Cursor::new(&zip)).unwrap().by_name(HANDLER).unwrap().unix_mode();

        assert_eq!(handler_in(&zip, &FILES).unwrap(), b"program");
        assert_eq!(mode.map(|mode| mode & 0o777), Some(0o755));
    }

    #[test]
    fn a_package_with_a_file_too_few_or_too_many_is_refused() {
        let mut less = package();
        less.remove(0);
        let mut more = package();
        more.push(("local.settings.json", Vec::new()));

        for files in [less, more] {
            let refused = handler_in(&write(files).unwrap(), &FILES);

            assert!(matches!(refused, Err(ArchiveError::Files(_))), "{refused:?}");
        }
    }

    #[test]
    fn a_program_that_may_not_be_executed_is_refused() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in package() {
            zip.start_file(name, SimpleFileOptions::default().unix_permissions(0o644)).unwrap();
            zip.write_all(&bytes).unwrap();
        }
        let mut zip = ZipArchive::new(zip.finish().unwrap()).unwrap();
        let mut sorted = ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["handler", "host.json", "http/function.json"] {
            sorted.raw_copy_file(zip.by_name(name).unwrap()).unwrap();
        }

        let refused = handler_in(&sorted.finish().unwrap().into_inner(), &FILES);

        assert!(matches!(refused, Err(ArchiveError::Mode { found, .. }) if found & 0o777 == 0o644));
    }
}
