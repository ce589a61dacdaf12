//! The program that the demo watches: a little server whose error path forgets to close what it opened.
//!
//! It serves requests from one thread: most are answered and clean up after themselves, every eighth is malformed and
//! takes the path with the bug. A cache fills and stops, to show what is not a leak.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::os::fd::IntoRawFd;
use std::time::Duration;

use fdscope_sys::clock::monotonic_now;

use crate::Done;
use crate::args::DemoTarget;
use crate::ending::Ending;

/// Requests per second.
const RATE: u32 = 40;
/// Every so manyth request is malformed.
const MALFORMED_EVERY: u32 = 8;
/// Files that the cache holds when it is full.
const CACHE_FULL: usize = 16;

/// Runs until its lifetime is over, its parent is gone, or it runs into the limit.
pub fn run(target: &DemoTarget) -> Done {
    let parent = rustix::process::getppid();
    let begun = monotonic_now();
    let lifetime_ns = target.lifetime.as_nanos() as u64;
    let mut cache = Vec::new();
    let mut number = 0;
    while monotonic_now().since_ns(begun) < lifetime_ns && rustix::process::getppid() == parent {
        number += 1;
        serve_request(number, &mut cache);
        std::thread::sleep(Duration::from_secs(1) / RATE);
    }
    Ok(Ending::Done)
}

#[inline(never)]
fn serve_request(number: u32, cache: &mut Vec<File>) {
    if cache.len() < CACHE_FULL && number.is_multiple_of(3) {
        fill_cache(cache);
    }
    if number.is_multiple_of(MALFORMED_EVERY) {
        reject_malformed_request();
    } else {
        answer_request();
    }
}

#[inline(never)]
fn fill_cache(cache: &mut Vec<File>) {
    cache.extend(File::open("/etc/hosts"));
}

#[inline(never)]
fn answer_request() {
    let mut text = String::new();
    if let Ok(mut template) = File::open("/etc/passwd") {
        // What it reads does not matter, only that it opens, reads and closes as servers do.
        let _unused = template.read_to_string(&mut text);
    }
    black_box(text);
}

/// The bug: the template is opened before the request is found to be malformed, and nobody closes it.
#[inline(never)]
fn reject_malformed_request() {
    if let Ok(template) = File::open("/etc/passwd") {
        black_box(template.into_raw_fd());
    }
}
