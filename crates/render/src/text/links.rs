//! Network interfaces for people: one row each, a row more for every further address.

use fdscope_model::link::{Counters, Link, LinkAddress, LinkReport, TunOwner};

use super::{bullet, heading};
use crate::charset::Charset;
use crate::page::{Form, Page};
use crate::piece::Text;
use crate::style::Style;
use crate::table::{Cell, Column, Keep, Table};
use crate::units;

const COLUMNS: &[Column] = &[
    Column::right("#").keep(Keep::Drop(9)),
    Column::left("LINK"),
    Column::left("STATE"),
    Column::left("KIND").keep(Keep::Drop(5)),
    Column::right("MTU"),
    Column::left("ADDRESS"),
    Column::right("RECEIVED").keep(Keep::Drop(2)),
    Column::right("SENT").keep(Keep::Drop(3)),
    Column::right("ERRORS").keep(Keep::Drop(6)),
    Column::right("DROPPED").keep(Keep::Drop(4)),
    Column::left("ON").keep(Keep::Drop(7)),
    Column::left("DRIVER").keep(Keep::Drop(8)),
    Column::left("OWNER").keep(Keep::Drop(1)),
];

/// The page.
pub fn links(report: &LinkReport, form: Form) -> String {
    let mut page = Page::new(form);
    let charset = page.form.charset;
    let rows = report.links.iter().flat_map(|link| rows(link, &report.links, charset)).collect();
    let mut table = Table { columns: COLUMNS.to_vec(), rows };
    for (header, shown) in [
        ("KIND", report.links.iter().any(|link| link.kind.is_some())),
        ("ON", report.links.iter().any(|link| link.master.is_some() || link.lower.is_some())),
        ("DRIVER", report.links.iter().any(|link| link.driver.is_some())),
        ("OWNER", report.links.iter().any(|link| !link.owners.is_empty())),
    ] {
        if !shown {
            table.remove(header);
        }
    }
    let laid = table.lay_out(page.form.width, charset);
    laid.lines.iter().for_each(|line| page.line(line));
    if !laid.dropped.is_empty() {
        let dropped = laid.dropped.join(", ");
        let text = format!("(no room for {dropped}; a wider terminal and --json have all)");
        page.paragraph(&Text::default().and(Style::Dim, text), 0);
    }
    for link in report.links.iter().filter(|_| report.links.len() == 1) {
        details(&mut page, link);
    }
    notes(&mut page, report);
    page.finish()
}

fn rows(link: &Link, all: &[Link], charset: Charset) -> Vec<Vec<Cell>> {
    let Counters { rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped, .. } =
        link.counters;
    let none = || "-".to_owned();
    let count = |sum: u64| {
        let style = if sum > 0 { Style::Suspect } else { Style::Plain };
        Cell::styled(style, units::count(sum))
    };
    let (word, style) = match (link.is_up(), link.state_word()) {
        (false, _) => ("off", Style::Dim),
        // Loopback, tun and dummies never tell more.
        (true, "unknown" | "up") => ("up", Style::Good),
        (true, other) => (other, Style::Suspect),
    };
    let mut addresses = link.addresses.iter().map(address);
    let first = vec![
        Cell::new(link.index.to_string()),
        Cell::styled(Style::Strong, charset.name(&link.name)),
        Cell::styled(style, word),
        Cell::new(link.kind.as_ref().map_or_else(none, |kind| charset.name(kind))),
        Cell::new(link.mtu.to_string()),
        Cell::new(addresses.next().unwrap_or_else(none)),
        Cell::new(units::bytes(rx_bytes)),
        Cell::new(units::bytes(tx_bytes)),
        count(rx_errors.saturating_add(tx_errors)),
        count(rx_dropped.saturating_add(tx_dropped)),
        Cell::new(on(link, all, charset)),
        Cell::new(link.driver.as_ref().map_or_else(none, |driver| charset.name(driver))),
        Cell::new(owners(&link.owners, charset)),
    ];
    let further = addresses.map(|address| {
        let mut row = vec![Cell::default(); COLUMNS.len()];
        row[5] = Cell::new(address);
        row
    });
    std::iter::once(first).chain(further).collect()
}

fn address(address: &LinkAddress) -> String {
    let text = format!("{}/{}", address.address, address.prefix_length);
    match address.peer {
        Some(peer) => format!("{text} to {peer}"),
        None => text,
    }
}

/// The bridge it is a port of, and the interface beneath or at the other end.
fn on(link: &Link, all: &[Link], charset: Charset) -> String {
    let name = |index: u32| {
        let known = all.iter().find(|other| other.index == index);
        known.map_or_else(|| format!("#{index}"), |other| charset.name(&other.name))
    };
    let master = link.master.map(|index| format!("port of {}", name(index)));
    let lower = link.lower.map(|lower| match lower.elsewhere {
        true => format!("#{} in another namespace", lower.index),
        false => name(lower.index),
    });
    let parts: Vec<String> = [master, lower].into_iter().flatten().collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}

fn owners(owners: &[TunOwner], charset: Charset) -> String {
    let owner = |owner: &TunOwner| {
        let place = if owner.elsewhere { " (in another namespace)" } else { "" };
        format!("{} (pid {}) fd {}{place}", charset.name(&owner.comm), owner.pid, owner.fd)
    };
    let all: Vec<String> = owners.iter().map(owner).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

/// What a single interface has room for.
fn details(page: &mut Page, link: &Link) {
    let Counters { rx_packets, tx_packets, rx_errors, tx_errors, rx_dropped, tx_dropped, .. } =
        link.counters;
    page.gap();
    let hardware: Vec<String> = link.hardware.iter().map(|byte| format!("{byte:02x}")).collect();
    if !hardware.is_empty() {
        bullet(page, Text::plain(format!("hardware address {}", hardware.join(":"))));
    }
    let bound = |bound: Option<u32>| bound.map_or_else(|| "any".to_owned(), |mtu| mtu.to_string());
    let range =
        format!("the driver takes an MTU from {} to {}", bound(link.min_mtu), bound(link.max_mtu));
    bullet(page, Text::plain(range));
    for (word, packets, errors, dropped) in [
        ("received", rx_packets, rx_errors, rx_dropped),
        ("sent", tx_packets, tx_errors, tx_dropped),
    ] {
        let packets = units::count_of(packets, "packet", "packets");
        let errors = units::count_of(errors, "error", "errors");
        let text = format!("{packets} {word}, {errors}, {} dropped", units::count(dropped));
        bullet(page, Text::plain(text));
    }
}

fn notes(page: &mut Page, report: &LinkReport) {
    let charset = page.form.charset;
    if !report.notes.is_empty() {
        heading(page, "Notes");
        for note in &report.notes {
            bullet(page, Text::plain(charset.sentence(note)));
        }
    }
    if !report.blind.is_empty() {
        heading(page, "Not seen");
        for blind in &report.blind {
            let cure = blind.cure.as_deref().map(|cure| format!("; {cure}")).unwrap_or_default();
            bullet(
                page,
                Text::plain(charset.sentence(&format!("{}: {}{cure}", blind.what, blind.why))),
            );
        }
    }
}
