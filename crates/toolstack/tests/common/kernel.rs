//! The smallest kernel that there is: one segment, one note.

/// Where it is loaded, and begins.
pub(crate) const START: u32 = 0x10_0000;

const CODE: &[u8] = b"\xf4\xeb\xfd"; // hlt; jmp back

/// A PVH kernel as an ELF32 file.
pub(crate) fn elf() -> Vec<u8> {
    let note = note();
    let headers = 52 + 2 * 32;
    let note_at = headers;
    let code_at = note_at + note.len();
    let mut file = Vec::new();
    file.extend(b"\x7fELF\x01\x01\x01");
    file.resize(16, 0);
    for half in [2u16, 3] {
        file.extend(half.to_le_bytes()); // ET_EXEC, EM_386
    }
    for word in [1u32, START, 52, 0, 0] {
        file.extend(word.to_le_bytes()); // version, entry, program headers, section headers, flags
    }
    for half in [52u16, 32, 2, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    let code = CODE.len() as u32;
    let program = |kind: u32, at: usize, address: u32, size: u32, align: u32| {
        [kind, at as u32, address, address, size, size, 5, align]
    };
    let load = program(1, code_at, START, code, 1);
    let notes = program(4, note_at, 0, note.len() as u32, 4);
    for word in load.into_iter().chain(notes) {
        file.extend(word.to_le_bytes());
    }
    file.extend(note);
    file.extend(CODE);
    file
}

/// `XEN_ELFNOTE_PHYS32_ENTRY`.
fn note() -> Vec<u8> {
    let mut note = Vec::new();
    for word in [4u32, 4, 18] {
        note.extend(word.to_le_bytes());
    }
    note.extend(b"Xen\0");
    note.extend(START.to_le_bytes());
    note
}

/// The kernel as it travels.
pub(crate) fn container() -> Vec<u8> {
    packed(&elf())
}

/// Any bytes as they travel.
pub(crate) fn packed(bytes: &[u8]) -> Vec<u8> {
    image::container::pack(bytes)
}
