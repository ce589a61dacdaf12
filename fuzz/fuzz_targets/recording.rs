//! Recordings: whatever follows the first bytes is read to its last whole frame, and frames hold what they hold.
#![no_main]

use std::path::Path;

use fdscope_record::{Reader, framed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Once as a file, once as the records of a frame whose checksum fits.
    for file in [bytes.to_vec(), framed(bytes)] {
        if let Ok(mut reader) = Reader::new(&file[..], Path::new("fuzz")) {
            let _ = reader.read_all(&mut |record| {
                let _ = format!("{record:?}");
                true
            });
            let _ = reader.ending().sentence();
        }
    }
});
