//! What builds static programs for Linux on this machine, and what is missing for it.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::ValueEnum;

/// The C library in the programs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Libc {
    /// musl, from any machine
    #[default]
    Musl,
    /// glibc, from Linux on `x86_64` alone, where the Rust target for musl cannot be had
    Glibc,
    /// musl if this machine has what it takes, and glibc otherwise
    Any,
}

/// A way to build static programs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Toolchain {
    /// cargo with the C compiler of this machine, which links its own glibc.
    Glibc,
    /// cargo with the C compiler of Debian's musl-tools.
    MuslGcc,
    /// cargo-zigbuild with the C compiler in zig.
    Zig,
}

impl Toolchain {
    /// The way to `libc` on this machine.
    pub(super) fn find(libc: Libc) -> Result<Self, MissingTools> {
        Self::choose(libc, &Found::on_this_machine())
    }

    /// Our name for what is built.
    pub(super) fn target(self) -> &'static str {
        match self {
            Self::Glibc => GLIBC_TARGET,
            Self::MuslGcc | Self::Zig => MUSL_TARGET,
        }
    }

    fn choose(libc: Libc, found: &Found) -> Result<Self, MissingTools> {
        match libc {
            Libc::Any => Self::with_musl(found).or_else(|_| Self::with_glibc(found)),
            Libc::Glibc => Self::with_glibc(found),
            Libc::Musl => Self::with_musl(found),
        }
    }

    fn with_glibc(found: &Found) -> Result<Self, MissingTools> {
        if !found.has(Part::X86Linux) {
            Err(MissingTools(vec![Advice::X86Linux]))
        } else if !found.has(Part::GlibcArchive) {
            Err(MissingTools(vec![Advice::GlibcArchive]))
        } else {
            Ok(Self::Glibc)
        }
    }

    fn with_musl(found: &Found) -> Result<Self, MissingTools> {
        let on_linux = found.has(Part::X86Linux);
        let compiler = if on_linux && found.has(Part::MuslGcc) {
            Ok(Self::MuslGcc)
        } else if found.has(Part::Zigbuild) {
            Ok(Self::Zig)
        } else if on_linux {
            Err(Advice::MuslGccOrZig)
        } else {
            Err(Advice::Zig)
        };
        let target = if found.has(Part::MuslTarget) { Ok(()) } else { Err(Advice::MuslTarget) };
        match (target, compiler) {
            (Ok(()), Ok(toolchain)) => Ok(toolchain),
            (target, compiler) => {
                let missing = target.err().into_iter().chain(compiler.err());
                Err(MissingTools(missing.chain(on_linux.then_some(Advice::OrGlibc)).collect()))
            }
        }
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compiler = match self {
            Self::Glibc => "the C compiler and the glibc of this machine",
            Self::MuslGcc => "musl-gcc",
            Self::Zig => "zig",
        };
        write!(formatter, "{} with {compiler}", self.target())
    }
}

const MUSL_TARGET: &str = "x86_64-unknown-linux-musl";
const GLIBC_TARGET: &str = "x86_64-unknown-linux-gnu";

/// What was found on a machine.
#[derive(Clone, Debug)]
struct Found(Vec<Part>);

/// Something that a machine has or has not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    GlibcArchive,
    MuslGcc,
    MuslTarget,
    X86Linux,
    Zigbuild,
}

impl Part {
    const ALL: [Self; 5] =
        [Self::GlibcArchive, Self::MuslGcc, Self::MuslTarget, Self::X86Linux, Self::Zigbuild];

    fn is_here(self) -> bool {
        match self {
            // What is not found is printed as it was asked for.
            Self::GlibcArchive => output("cc", &["-print-file-name=libc.a"])
                .is_some_and(|path| Path::new(&path).is_absolute()),
            Self::MuslGcc => output("musl-gcc", &["--version"]).is_some(),
            Self::MuslTarget => {
                output("rustc", &["--print", "target-libdir", "--target", MUSL_TARGET])
                    .is_some_and(|path| Path::new(&path).is_dir())
            }
            Self::X86Linux => cfg!(all(target_os = "linux", target_arch = "x86_64")),
            Self::Zigbuild => output("cargo-zigbuild", &["--version"]).is_some(),
        }
    }
}

impl Found {
    fn on_this_machine() -> Self {
        Self(Part::ALL.into_iter().filter(|part| part.is_here()).collect())
    }

    fn has(&self, part: Part) -> bool {
        self.0.contains(&part)
    }
}

/// What `program` prints, if it runs.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// What has to be installed first, all at once.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct MissingTools(Vec<Advice>);

impl fmt::Display for MissingTools {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the packages cannot be built here yet:")?;
        self.0.iter().try_for_each(|advice| write!(formatter, "\n  {}", advice.text()))
    }
}

/// What to install, or to do instead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Advice {
    GlibcArchive,
    MuslGccOrZig,
    MuslTarget,
    OrGlibc,
    X86Linux,
    Zig,
}

impl Advice {
    fn text(self) -> &'static str {
        match self {
            Self::GlibcArchive => "a C compiler with libc.a: apt install gcc libc6-dev",
            Self::MuslGccOrZig => {
                "a C compiler for musl: apt install musl-tools, or pip install cargo-zigbuild ziglang"
            }
            Self::MuslTarget => {
                "the standard library for musl: rustup target add x86_64-unknown-linux-musl"
            }
            Self::OrGlibc => {
                "or build with the glibc of this machine: cargo run -- package --libc glibc"
            }
            Self::X86Linux => "--libc glibc is for Linux on x86_64: leave it out here",
            Self::Zig => "a C compiler for Linux: pip install cargo-zigbuild ziglang",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything_but(missing: &[Part]) -> Found {
        Found(Part::ALL.into_iter().filter(|part| !missing.contains(part)).collect())
    }

    fn choose(libc: Libc, missing: &[Part]) -> Result<Toolchain, String> {
        Toolchain::choose(libc, &everything_but(missing)).map_err(|missing| missing.to_string())
    }

    const ON_A_MAC: [Part; 2] = [Part::X86Linux, Part::MuslGcc];

    #[test]
    fn each_machine_has_its_way() {
        for (libc, missing, toolchain) in [
            (Libc::Musl, &[][..], Toolchain::MuslGcc),
            (Libc::Musl, &[Part::MuslGcc], Toolchain::Zig),
            (Libc::Musl, &ON_A_MAC, Toolchain::Zig),
            (Libc::Glibc, &[], Toolchain::Glibc),
            (Libc::Any, &[], Toolchain::MuslGcc),
            (Libc::Any, &[Part::MuslTarget], Toolchain::Glibc),
        ] {
            assert_eq!(choose(libc, missing), Ok(toolchain), "{libc:?} without {missing:?}");
        }
    }

    #[test]
    fn everything_that_is_missing_is_told_at_once_with_the_command_that_brings_it() {
        let bare = [Part::MuslGcc, Part::MuslTarget, Part::Zigbuild];

        let on_linux = choose(Libc::Musl, &bare).unwrap_err();
        let on_a_mac = choose(Libc::Musl, &[&bare[..], &ON_A_MAC].concat()).unwrap_err();

        for command in [
            "rustup target add x86_64-unknown-linux-musl",
            "apt install musl-tools",
            "pip install cargo-zigbuild ziglang",
            "package --libc glibc",
        ] {
            assert!(on_linux.contains(command), "{command}: {on_linux}");
        }
        assert!(on_a_mac.contains("pip install cargo-zigbuild ziglang"), "{on_a_mac}");
        assert!(!on_a_mac.contains("apt") && !on_a_mac.contains("glibc"), "{on_a_mac}");
    }

    #[test]
    fn what_is_there_is_not_asked_for() {
        let missing = [&ON_A_MAC[..], &[Part::MuslTarget]].concat();

        let told = choose(Libc::Musl, &missing).unwrap_err();

        assert!(told.contains("rustup target add") && !told.contains("pip"), "{told}");
    }

    #[test]
    fn glibc_is_linked_on_the_machine_that_it_is_for() {
        assert!(choose(Libc::Glibc, &ON_A_MAC).unwrap_err().contains("leave it out"));
        assert!(choose(Libc::Glibc, &[Part::GlibcArchive]).unwrap_err().contains("libc6-dev"));
    }
}
