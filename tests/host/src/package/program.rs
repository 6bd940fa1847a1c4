//! Whether a program starts on the machines of Azure: any Linux on `x86_64`.

use object::elf::{EM_X86_64, FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind};

use super::Refused;

/// Checks that `program` needs nothing that those machines may not have.
///
/// The packager has a check of its own; this one shares nothing with it.
pub(super) fn check(program: &[u8]) -> Result<(), Refused> {
    if FileKind::parse(program).ok() != Some(FileKind::Elf64) {
        return Err(Refused::Program("is not a 64-bit program for Linux"));
    }
    let unreadable = |_| Refused::Program("cannot be read");
    let header = FileHeader64::<Endianness>::parse(program).map_err(unreadable)?;
    let endian = header.endian().map_err(unreadable)?;
    if header.e_machine(endian) != EM_X86_64 {
        return Err(Refused::Program("is not for x86_64"));
    }
    let parts = header.program_headers(endian, program).map_err(unreadable)?;
    if parts.iter().any(|part| part.p_type(endian) == PT_INTERP) {
        return Err(Refused::Program("is linked dynamically"));
    }
    Ok(())
}
