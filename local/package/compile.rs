//! Runs cargo so that the programs are static and the same wherever they are built.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use shared::config::{Env, ProcessEnv};

use super::toolchain::Toolchain;

/// What separates flags in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: &str = "\u{1f}";

/// Builds programs of this repository.
#[derive(Debug)]
pub(super) struct Compiler<'a> {
    root: &'a Path,
    toolchain: Toolchain,
    /// The directories of this machine that the compiler sees, and what it calls them instead.
    /// C code of dependencies is built under names of its own.
    places: Vec<(PathBuf, &'static str)>,
}

impl<'a> Compiler<'a> {
    /// A compiler for the repository at `root`.
    pub(super) fn new(root: &'a Path, toolchain: Toolchain) -> Self {
        let cargo = cargo_home(&ProcessEnv).map(|home| (home, "/cargo"));
        let places = cargo.into_iter().chain([(root.to_owned(), "/src")]).collect();
        Self { root, toolchain, places }
    }

    /// Builds `apps`. cargo shows how far it is.
    pub(super) fn build(&self, apps: &[&str]) -> Result<(), CompileError> {
        let mut cargo = Command::new("cargo");
        let verb = if self.toolchain == Toolchain::Zig { "zigbuild" } else { "build" };
        let target = self.toolchain.target();
        cargo
            .current_dir(self.root)
            .args([verb, "--release", "--locked", "--target", target, "--target-dir", "target"])
            .args(apps.iter().flat_map(|app| ["-p", app]))
            .env("CARGO_ENCODED_RUSTFLAGS", self.rust_flags().join(SEPARATOR));
        let status = cargo.status().map_err(CompileError::NoCargo)?;
        if status.success() { Ok(()) } else { Err(CompileError::Failed(status)) }
    }

    /// Where the program of `app` is once it is built.
    pub(super) fn binary(&self, app: &str) -> PathBuf {
        self.root.join("target").join(self.toolchain.target()).join("release").join(app)
    }

    /// What must not be read in the programs.
    pub(super) fn private_paths(&self) -> Vec<String> {
        self.places.iter().map(|(path, _)| path.display().to_string()).collect()
    }

    fn rust_flags(&self) -> Vec<String> {
        let linked = match self.toolchain {
            Toolchain::Glibc => Some("-Ctarget-feature=+crt-static".to_owned()),
            Toolchain::MuslGcc | Toolchain::Zig => None,
        };
        let renamed = self
            .places
            .iter()
            .map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()));
        linked.into_iter().chain(renamed).collect()
    }
}

/// Where cargo keeps the sources of dependencies.
fn cargo_home(env: &dyn Env) -> Option<PathBuf> {
    let home = || env.get("HOME").or_else(|| env.get("USERPROFILE"));
    let usual = || home().map(|home| Path::new(&home).join(".cargo"));
    env.get("CARGO_HOME").map(PathBuf::from).or_else(usual)
}

/// Why there are no programs.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// cargo says why.
    #[error("cargo did not build the apps: {0}")]
    Failed(ExitStatus),
    /// cargo does not run.
    #[error("cargo does not run: is Rust installed? https://rustup.rs")]
    NoCargo(#[source] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiler(toolchain: Toolchain) -> Compiler<'static> {
        let places = vec![("/home/me/.cargo".into(), "/cargo"), ("/home/me/code".into(), "/src")];
        Compiler { root: Path::new("/home/me/code"), toolchain, places }
    }

    #[test]
    fn the_directories_of_this_machine_get_other_names() {
        let compiler = compiler(Toolchain::MuslGcc);

        assert_eq!(
            compiler.rust_flags(),
            [
                "--remap-path-prefix=/home/me/.cargo=/cargo",
                "--remap-path-prefix=/home/me/code=/src"
            ]
        );
        assert_eq!(compiler.private_paths(), ["/home/me/.cargo", "/home/me/code"]);
    }

    #[test]
    fn glibc_is_linked_into_the_program_and_musl_is_anyway() {
        let is_static = |toolchain| {
            let flags = compiler(toolchain).rust_flags();
            flags.iter().any(|flag| flag == "-Ctarget-feature=+crt-static")
        };

        assert!(is_static(Toolchain::Glibc));
        assert!(!is_static(Toolchain::MuslGcc) && !is_static(Toolchain::Zig));
    }

    #[test]
    fn cargo_keeps_its_sources_where_it_was_told_or_at_home() {
        let home = Some(PathBuf::from("/home/me/.cargo"));

        assert_eq!(cargo_home(&[("HOME", "/home/me")]), home);
        assert_eq!(cargo_home(&[("USERPROFILE", "/home/me")]), home);
        assert_eq!(cargo_home(&[("CARGO_HOME", "/x"), ("HOME", "/home/me")]), Some("/x".into()));
    }
}
