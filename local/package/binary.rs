//! Whether a program starts on Azure, and tells nobody where it was built.

use object::Endianness;
use object::elf::{DT_NEEDED, EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, PT_INTERP};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};

/// Checks that `program` runs on any Linux on `x86_64`, whatever libraries that has, and names none of
/// `private_paths`.
pub(super) fn check(program: &[u8], private_paths: &[String]) -> Result<(), Unfit> {
    is_static_elf(program)?;
    let named = private_paths.iter().find(|path| contains(program, path.as_bytes()));
    named.map_or(Ok(()), |path| Err(Unfit::Path(path.clone())))
}

fn is_static_elf(program: &[u8]) -> Result<(), Unfit> {
    let header = FileHeader64::<Endianness>::parse(program).map_err(|_| Unfit::NotElf)?;
    let endian = header.endian().map_err(|_| Unfit::NotElf)?;
    if header.e_machine(endian) != EM_X86_64 || ![ET_EXEC, ET_DYN].contains(&header.e_type(endian))
    {
        return Err(Unfit::Machine);
    }
    for part in header.program_headers(endian, program).map_err(|_| Unfit::NotElf)? {
        let dynamic = part.dynamic(endian, program).map_err(|_| Unfit::NotElf)?;
        let needs = dynamic.unwrap_or_default().iter().any(|entry| entry.tag(endian) == DT_NEEDED);
        if part.p_type(endian) == PT_INTERP || needs {
            return Err(Unfit::Dynamic);
        }
    }
    Ok(())
}

fn contains(program: &[u8], text: &[u8]) -> bool {
    !text.is_empty() && program.windows(text.len()).any(|window| window == text)
}

/// Why a program must not be deployed.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// It needs libraries of the machine that it runs on.
    #[error("its handler is linked dynamically; it must be static")]
    Dynamic,
    /// It is for other machines.
    #[error("its handler is not a program for x86_64")]
    Machine,
    /// It is no program for Linux.
    #[error("its handler is not a 64-bit ELF file")]
    NotElf,
    /// It names a directory of the machine that it was built on.
    #[error("its handler names {0}, a directory of this machine")]
    Path(String),
    /// It takes long to be loaded.
    #[error("it has {size} bytes; {most} are allowed")]
    TooLarge {
        /// Its size, in bytes.
        size: u64,
        /// The largest allowed size, in bytes.
        most: u64,
    },
}

#[cfg(test)]
mod tests {
    use object::elf::{PT_LOAD, ProgramType};

    use super::*;

    /// The head of an ELF file with program headers of these types, and nothing that they lead to.
    fn elf(machine: u16, part_types: &[ProgramType]) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend(3_u16.to_le_bytes());
        file.extend(machine.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        file.extend(0_u64.to_le_bytes());
        file.extend(64_u64.to_le_bytes());
        file.extend(0_u64.to_le_bytes());
        file.extend(0_u32.to_le_bytes());
        for half in [64_u16, 56, u16::try_from(part_types.len()).unwrap(), 64, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        for kind in part_types {
            file.extend(kind.0.to_le_bytes());
            file.extend([0; 52]);
        }
        file
    }

    const X86_64: u16 = 62;

    #[test]
    fn a_static_program_for_x86_64_is_fit() {
        assert_eq!(check(&elf(X86_64, &[PT_LOAD]), &["/home/me".to_owned()]), Ok(()));
    }

    #[test]
    fn a_program_that_asks_for_a_loader_is_refused() {
        assert_eq!(check(&elf(X86_64, &[PT_LOAD, PT_INTERP]), &[]), Err(Unfit::Dynamic));
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn a_program_that_needs_libraries_is_refused() {
        let this_test = std::fs::read("/proc/self/exe").unwrap();

        assert_eq!(check(&this_test, &[]), Err(Unfit::Dynamic));
    }

    #[test]
    fn a_program_for_other_machines_is_refused() {
        const AARCH64: u16 = 183;

        assert_eq!(check(&elf(AARCH64, &[PT_LOAD]), &[]), Err(Unfit::Machine));
        assert_eq!(check(b"MZ\x90\0", &[]), Err(Unfit::NotElf));
        assert_eq!(check(b"#!/bin/sh\n", &[]), Err(Unfit::NotElf));
        assert_eq!(check(&elf(X86_64, &[PT_LOAD])[..80], &[]), Err(Unfit::NotElf));
    }

    #[test]
    fn a_program_that_names_a_directory_of_this_machine_is_refused() {
        let mut program = elf(X86_64, &[PT_LOAD]);
        program.extend(b"panicked at /home/me/src/main.rs");
        let path = "/home/me/".to_owned();

        let refused = check(&program, &["/other/".to_owned(), path.clone()]);

        assert_eq!(refused, Err(Unfit::Path(path)));
    }
}
