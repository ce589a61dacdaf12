//! What the ledger costs: bytes a living handle, flatness under churn, events a second.

use std::time::Instant;

use fdscope_analyze::{Ledger, LedgerOptions};
use fdscope_model::event::{Acquire, AcquireCause, Body, Event, Release, ReleaseCause, Slot};
use fdscope_model::{
    FdNumber, FileId, HandleKey, HandleKind, InodeId, Monotonic, Pid, StackId, TableId, Tid, Trace,
};

fn key(fd: u32) -> HandleKey {
    HandleKey::Descriptor(TableId(0xffff_8880_1234_5678), FdNumber(fd))
}

fn event(at: u64, body: Body<'_>) -> Event<'_> {
    Event { at: Monotonic(at), pid: Pid(100), tid: Tid(101), body }
}

fn open(ledger: &mut Ledger, at: u64, fd: u32, stack: u32) {
    let acquire = Acquire {
        key: key(fd),
        kind: HandleKind::File,
        file: Some(FileId(0xffff_8881_0000_0000 + at)),
        inode: Some(InodeId { inode: at, ..InodeId::default() }),
        cloexec: Some(true),
        cause: AcquireCause::Call("openat"),
        name: None,
        trace: Trace::Known(StackId(stack)),
    };
    ledger.apply(&event(at, Body::Acquire(acquire)));
}

fn close(ledger: &mut Ledger, at: u64, fd: u32) {
    let trace = Trace::Known(StackId(9));
    let release =
        Release { key: key(fd), cause: ReleaseCause::Call("close"), slot: Slot::Empty, trace };
    ledger.apply(&event(at, Body::Release(release)));
}

#[test]
fn a_living_handle_costs_at_most_200_bytes() {
    // Numbers just above a doubling of the map are the dearest.
    for handles in [1_000u32, 14_400, 20_000, 115_000] {
        let mut ledger = Ledger::new(LedgerOptions::default());
        (0..handles).for_each(|fd| open(&mut ledger, u64::from(fd) * 1000, fd, fd % 20));
        let footprint = ledger.footprint();
        assert_eq!(footprint.handles, handles as usize);
        let each = (footprint.handle_bytes + footprint.other_bytes) as f64 / f64::from(handles);
        println!("{handles} handles: {each:.0} bytes each");
        assert!(each <= 200.0, "{handles} handles: {each:.0} bytes each");
    }
}

#[test]
fn memory_is_flat_over_a_million_births_and_deaths() {
    let mut ledger = Ledger::new(LedgerOptions::default());
    let mut churn = |from: u64, to: u64| {
        for index in from..to {
            let at = index * 1_000_000;
            open(&mut ledger, at, (index % 500) as u32, (index % 40) as u32);
            if index >= 400 {
                close(&mut ledger, at + 1, ((index - 400) % 500) as u32);
            }
        }
        let footprint = ledger.footprint();
        footprint.handle_bytes + footprint.other_bytes
    };
    let after_some = churn(0, 200_000);
    let after_many = churn(200_000, 1_200_000);
    println!("after 200,000 births {after_some} bytes, after 1,200,000 {after_many}");
    assert!(after_many as f64 <= after_some as f64 * 1.1, "{after_some} {after_many}");
}

/// Thousands of sites and tens of thousands of survivors are judged in one go. Printed for the same reason as below.
#[test]
fn a_judgement_of_many_sites_ends() {
    let mut ledger = Ledger::new(LedgerOptions::default());
    (0..20_000).for_each(|fd| open(&mut ledger, u64::from(fd) * 2_000_000, fd, fd % 5000));
    let begun = Instant::now();
    let names = fdscope_analyze::Names { handle: &|_, _| None, thread: &|_, _| None };
    let verdicts = ledger.judge(Monotonic(40_000_000_000), &mut Nameless, names).verdicts.len();
    println!("{verdicts} sites, 20,000 survivors: {:?}", begun.elapsed());
    assert_eq!(verdicts, 5000);
}

struct Nameless;

impl fdscope_model::Symbolizer for Nameless {
    fn symbolize(&mut self, _: StackId) -> fdscope_model::Symbolized {
        fdscope_model::Symbolized::default()
    }
}

/// Printed and not asserted: a test must not depend on how busy the machine is.
#[test]
fn events_a_second_are_printed() {
    let mut ledger = Ledger::new(LedgerOptions::default());
    (0..10_000).for_each(|fd| open(&mut ledger, u64::from(fd), 1000 + fd, fd % 20));
    let pairs = if cfg!(debug_assertions) { 100_000 } else { 3_000_000u64 };
    let begun = Instant::now();
    for index in 0..pairs {
        let fd = (index % 900) as u32;
        open(&mut ledger, index * 1000, fd, (index % 40) as u32);
        close(&mut ledger, index * 1000 + 300, fd);
    }
    let per_s = 2.0 * pairs as f64 / begun.elapsed().as_secs_f64();
    println!("{:.1} million events a second", per_s / 1e6);
    assert_eq!(ledger.footprint().handles, 10_000);
}
