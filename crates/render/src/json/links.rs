//! The JSON of `fdscope link --json`: one object, `"schema": "fdscope/link/1"`, as `docs/json.md` promises it.

use fdscope_model::link::{Link, LinkReport, Offloads};
use serde::Serialize;

use super::{BlindForm, name, sentence};

/// The name and version of this form.
pub const SCHEMA: &str = "fdscope/link/1";

/// The object, on one line with a line end.
pub fn links(report: &LinkReport, command: &str, machine: &str, taken_at_ns: u64) -> String {
    let form = LinksForm {
        schema: SCHEMA,
        fdscope: env!("CARGO_PKG_VERSION"),
        command: sentence(command),
        machine: sentence(machine),
        taken_at_ns,
        links: report.links.iter().map(LinkForm::of).collect(),
        notes: report.notes.iter().map(|note| sentence(note)).collect(),
        cannot_see: report.blind.iter().map(BlindForm::of).collect(),
    };
    let mut text = serde_json::to_string(&form).expect("every key is a string and no value fails");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct LinksForm {
    schema: &'static str,
    fdscope: &'static str,
    command: String,
    machine: String,
    taken_at_ns: u64,
    links: Vec<LinkForm>,
    notes: Vec<String>,
    cannot_see: Vec<BlindForm>,
}

#[derive(Serialize)]
struct LinkForm {
    index: u32,
    name: String,
    mtu: u32,
    min_mtu: Option<u32>,
    max_mtu: Option<u32>,
    flags: u32,
    up: bool,
    state: &'static str,
    hardware: Option<String>,
    addresses: Vec<AddressForm>,
    kind: Option<String>,
    driver: Option<String>,
    master_index: Option<u32>,
    lower_index: Option<u32>,
    lower_elsewhere: bool,
    rx_packets: u64,
    tx_packets: u64,
    rx_bytes: u64,
    tx_bytes: u64,
    rx_errors: u64,
    tx_errors: u64,
    rx_dropped: u64,
    tx_dropped: u64,
    owners: Vec<OwnerForm>,
    offloads: Option<OffloadsForm>,
}

#[derive(Serialize)]
struct OffloadsForm {
    tso: bool,
    gso: bool,
    gro: bool,
    lro: bool,
    rx_checksum: bool,
    tx_checksum: bool,
}

impl OffloadsForm {
    fn of(offloads: Offloads) -> Self {
        let Offloads { tso, gso, gro, lro, rx_checksum, tx_checksum } = offloads;
        OffloadsForm { tso, gso, gro, lro, rx_checksum, tx_checksum }
    }
}

#[derive(Serialize)]
struct AddressForm {
    address: String,
    prefix_length: u8,
    scope: u8,
    peer: Option<String>,
}

#[derive(Serialize)]
struct OwnerForm {
    pid: u32,
    comm: String,
    fd: u32,
    elsewhere: bool,
}

impl LinkForm {
    fn of(link: &Link) -> Self {
        let hardware: Vec<String> =
            link.hardware.iter().map(|byte| format!("{byte:02x}")).collect();
        let counters = link.counters;
        LinkForm {
            index: link.index,
            name: name(&link.name),
            mtu: link.mtu,
            min_mtu: link.min_mtu,
            max_mtu: link.max_mtu,
            flags: link.flags,
            up: link.is_up(),
            state: link.state_word(),
            hardware: (!hardware.is_empty()).then(|| hardware.join(":")),
            addresses: link
                .addresses
                .iter()
                .map(|address| AddressForm {
                    address: address.address.to_string(),
                    prefix_length: address.prefix_length,
                    scope: address.scope,
                    peer: address.peer.map(|peer| peer.to_string()),
                })
                .collect(),
            kind: link.kind.as_ref().map(name),
            driver: link.driver.as_ref().map(name),
            master_index: link.master,
            lower_index: link.lower.map(|lower| lower.index),
            lower_elsewhere: link.lower.is_some_and(|lower| lower.elsewhere),
            rx_packets: counters.rx_packets,
            tx_packets: counters.tx_packets,
            rx_bytes: counters.rx_bytes,
            tx_bytes: counters.tx_bytes,
            rx_errors: counters.rx_errors,
            tx_errors: counters.tx_errors,
            rx_dropped: counters.rx_dropped,
            tx_dropped: counters.tx_dropped,
            owners: link
                .owners
                .iter()
                .map(|owner| OwnerForm {
                    pid: owner.pid.0,
                    comm: name(&owner.comm),
                    fd: owner.fd.0,
                    elsewhere: owner.elsewhere,
                })
                .collect(),
            offloads: link.offloads.map(OffloadsForm::of),
        }
    }
}
