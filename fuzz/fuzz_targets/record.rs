//! Records of the ring, decoded into events: sizes and numbers come from the kernel side, and are not trusted.
#![no_main]

use fdscope_bpf::decode::{decode, split};
use fdscope_model::Trace;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some((record, _stack)) = split(bytes, &mut Vec::new()) {
        decode(&record, Trace::None, &mut |event| {
            let _ = format!("{event:?}");
        });
    }
});
