//! Files of the data directory: their owner's alone, and named when they are whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Makes the directory at `path` with all above it, unless it is there.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A file in the making. It gets its name when it is whole, so that a file that was cut short is
/// never taken for ours.
#[derive(Debug)]
pub(crate) struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    /// Begins the file that will be at `path`, over what an earlier attempt may have left.
    pub(crate) fn begin(path: &Path) -> io::Result<(Self, File)> {
        let unfinished = path.with_extension("new");
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&unfinished)?;
        Ok((Self { path: unfinished }, file))
    }

    /// Gives the file its name.
    pub(crate) fn finish(self, path: &Path) -> io::Result<()> {
        fs::rename(self.path, path)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_has_no_name_before_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");

        let (unfinished, mut file) = Unfinished::begin(&path).unwrap();
        file.write_all(b"whole").unwrap();
        let named_early = path.exists();
        unfinished.finish(&path).unwrap();

        assert!(!named_early);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn what_an_earlier_attempt_left_is_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");
        Unfinished::begin(&path).unwrap().1.write_all(b"cut sh").unwrap();

        let (unfinished, _) = Unfinished::begin(&path).unwrap();
        unfinished.finish(&path).unwrap();

        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[cfg(unix)]
    #[test]
    fn directory_and_files_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("a/b");
        make_directory(&directory).unwrap();
        let path = directory.join("file");

        Unfinished::begin(&path).unwrap().0.finish(&path).unwrap();

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&path)), (0o700, 0o600));
    }
}
