//! Mappings and what is done to memory.

use super::args::*;
use super::pen::Pen;
use super::row::{Argument, choice, flags, input, output, plain, rows};
use super::tables::memory::*;
use super::xlat::xlat;
use crate::capture::{Length, What};

xlat! {
    PKEY_RIGHTS "PKEY_???" { PKEY_DISABLE_ACCESS 1, PKEY_DISABLE_WRITE 2, PKEY_DISABLE_EXECUTE 4, PKEY_DISABLE_READ 8 }
    MEMBARRIER_FLAGS "MEMBARRIER_CMD_FLAG_???" { MEMBARRIER_CMD_FLAG_CPU 1 }
    SHADOW_STACK "SHADOW_STACK_???" { SHADOW_STACK_SET_TOKEN 1, SHADOW_STACK_SET_MARKER 2 }
}

const MAP_HUGETLB: u64 = 0x40000;

/// The flags of mmap: the kind of sharing, the flags, the size of huge pages.
const MAP_FLAGS: Argument = plain(|pen, r| {
    let value = u64::from(pen.arg_u32(r));
    let page = if value & MAP_HUGETLB != 0 { value >> 26 & 0x3f } else { 0 };
    let rest = value & !(page << 26);
    if page == 0 {
        return pen.mode_and_flags(&MAP_TYPE, 0xf, &MAP, rest);
    }
    pen.meaning(
        |pen| pen.hex(value),
        |pen| {
            pen.by_name(|pen| pen.mode_and_flags(&MAP_TYPE, 0xf, &MAP, rest));
            pen.text("|");
            pen.unsigned(page);
            pen.text("<<MAP_HUGE_SHIFT");
        },
    );
});
/// The descriptor of mmap: -1 for memory without file.
const MAP_FD: Argument = FD;
/// The offset in bytes.
const MAP_OFFSET: Argument = plain(|pen, r| pen.hex(pen.arg(r)));
/// The offset of i386's mmap2, in pages.
const MAP_PAGES: Argument = plain(|pen, r| pen.hex(pen.arg(r) << 12));
/// mremap's new address, if the flags ask for one.
const NEW_ADDRESS: Argument = plain(|pen, r| {
    if pen.arg(r - 1) & 6 != 0 {
        pen.text(", ");
        pen.address(pen.arg(r));
    }
})
.glued();
const RESIDENT: Argument = output(
    |pen, r| {
        let pages = pen.arg(r - 1).div_ceil(4096);
        pen.array(pen.arg(r), pages, 1, |pen, page| {
            let bits = page.u8(0);
            pen.text(if bits & 1 == 1 { "1" } else { "0" });
        });
    },
    What::Bytes(Length::Limit),
);
/// A set of memory nodes: so many bits as the next argument says.
const NODES: Argument = input(|pen, r| nodes(pen, r, r + 1), What::Bytes(Length::Limit));
const PKEY_TAG: Argument = INT;

rows! {
    brk [ADDRESS] Hex;
    mmap [ADDRESS, SIZE, flags(&PROT), MAP_FLAGS, MAP_FD, MAP_OFFSET] Hex;
    mmap2 [ADDRESS, SIZE, flags(&PROT), MAP_FLAGS, MAP_FD, MAP_PAGES] Hex;
    munmap [ADDRESS, SIZE] Decimal;
    mremap [ADDRESS, SIZE, SIZE, flags(&MREMAP), NEW_ADDRESS] Hex;
    mprotect [ADDRESS, SIZE, flags(&PROT)] Decimal;
    pkey_mprotect [ADDRESS, SIZE, flags(&PROT), PKEY_TAG] Decimal;
    pkey_alloc [HEX, flags(&PKEY_RIGHTS)] Decimal;
    pkey_free [INT] Decimal;
    madvise [ADDRESS, SIZE, choice(&MADVISE)] Decimal;
    process_madvise [FD, VECTORS, SIZE, choice(&MADVISE), HEX32] Decimal;
    msync [ADDRESS, SIZE, flags(&MSYNC)] Decimal;
    mlock [ADDRESS, SIZE] Decimal;
    mlock2 [ADDRESS, SIZE, flags(&MLOCK2)] Decimal;
    munlock [ADDRESS, SIZE] Decimal;
    mlockall [flags(&MLOCKALL)] Decimal;
    munlockall [] Decimal;
    mincore [ADDRESS, SIZE, RESIDENT] Decimal;
    remap_file_pages [ADDRESS, SIZE, flags(&PROT), SIZE, MAP_FLAGS] Decimal;
    mseal [ADDRESS, SIZE, HEX] Decimal;
    map_shadow_stack [ADDRESS, SIZE, flags(&SHADOW_STACK)] Hex;
    mbind [ADDRESS, SIZE, flags_of_mode(), NODES, SIZE, flags(&MBIND)] Decimal;
    set_mempolicy [flags_of_mode(), NODES, SIZE] Decimal;
    set_mempolicy_home_node [ADDRESS, SIZE, SIZE, HEX] Decimal;
    get_mempolicy [POLICY, NODES_OUT, SIZE, ADDRESS, flags(&GET_MEMPOLICY)] Decimal;
    migrate_pages [PID, SIZE, NODES_BEFORE, NODES_BEFORE] Decimal;
    move_pages [PID, SIZE, ADDRESS, ADDRESS, ADDRESS, flags(&MOVE_PAGES)] Decimal;
    membarrier [choice(&MEMBARRIER), flags(&MEMBARRIER_FLAGS), MEMBARRIER_CPU] Special(membarrier_result);
    process_mrelease [FD, HEX32] Decimal;
    process_vm_readv [PID, REMOTE_DATA, SIZE, REMOTE, SIZE, HEX] Decimal;
    process_vm_writev [PID, LOCAL_DATA, SIZE, REMOTE, SIZE, HEX] Decimal;
}

/// The processor, if the flags name one.
const MEMBARRIER_CPU: Argument = plain(|pen, r| {
    if pen.arg(r - 1) & 1 != 0 {
        pen.text(", ");
        pen.signed(pen.arg_i32(r).into());
    }
})
.glued();

fn membarrier_result(pen: &mut Pen, value: i64) {
    if pen.arg_u32(0) != 0 || value <= 0 {
        return pen.signed(value);
    }
    pen.hex(value as u64);
    pen.text(" (");
    pen.flags(&MEMBARRIER, value as u64);
    pen.text(")");
}

const fn flags_of_mode() -> Argument {
    plain(|pen, r| pen.mode_and_flags(&MPOL, 0x1fff, &MPOL_MODE, pen.arg_u32(r).into()))
}

const VECTORS: Argument = input(
    |pen, r| pen.iovec_addresses(pen.arg(r), pen.arg(r + 1)),
    What::Bytes(Length::Times(2, 16)),
);
const POLICY: Argument = output(
    |pen, r| pen.pointed(pen.arg(r), 4, |pen, block| pen.choice(&MPOL, block.u32(0))),
    What::Bytes(Length::Const(4)),
);
const NODES_OUT: Argument = output(|pen, r| nodes(pen, r, r + 1), What::Bytes(Length::Limit));
const NODES_BEFORE: Argument = input(|pen, r| nodes(pen, r, 1), What::Bytes(Length::Limit));

fn nodes(pen: &mut Pen, r: u8, count_register: u8) {
    let word = pen.pointer();
    let words = pen.arg(count_register).saturating_sub(1).div_ceil(8 * word as u64).min(64);
    pen.array(pen.arg(r), words, word, |pen, block| {
        pen.text(if block.word(0) == 0 { "" } else { "0x" });
        super::numbers::padded_hex(pen.out, block.word(0), 2 * word as u32);
    });
}

const REMOTE: Argument = input(
    |pen, r| pen.iovec_addresses(pen.arg(r), pen.arg(r + 1)),
    What::Bytes(Length::Times(4, 16)),
);
const LOCAL_DATA: Argument = input(
    |pen, r| pen.iovec(pen.arg(r), pen.arg(r + 1), u64::MAX),
    What::Iovec { count: 2, total: Length::Limit },
);
const REMOTE_DATA: Argument = super::row::ended(|pen, r| match pen.returned() {
    Some(read) => pen.iovec(pen.arg(r), pen.arg(r + 1), read.max(0) as u64),
    None => pen.iovec_addresses(pen.arg(r), pen.arg(r + 1)),
})
.also(0, crate::capture::When::Exit, What::Iovec { count: 2, total: Length::Returned });
