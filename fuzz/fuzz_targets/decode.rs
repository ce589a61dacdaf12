//! System calls with any numbers and any memory.
#![no_main]
use fdscope_syscall::Arch;
use fdscope_syscall::decode::{self, NoNames, Style};
use fdscope_syscall::traced::{Call, Ended};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u16, [u64; 6], Option<i64>, bool, Vec<u8>)| {
    let (arch, number, arguments, returned, abbreviate, bytes) = input;
    let arch = Arch::ALL[usize::from(arch) % Arch::ALL.len()];
    let call = Call { arch, number: number.into(), arguments };
    let memory = (0x1000, &bytes[..]);
    let style = Style { abbreviate, ..Style::default() };
    let ended = returned.map_or(Ended::Failed(number), Ended::Returned);
    let mut out = Vec::new();
    let state = decode::enter(&call, &memory, &style, &NoNames, &mut out);
    decode::exit(&call, ended, state, &memory, &style, &NoNames, &mut out);
});
