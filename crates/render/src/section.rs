//! Sections of /proc/PID as text, and memory as hexdump -C shows it.

use fdscope_model::section::{Row, Section, Unit};

use crate::page::{Form, Page};
use crate::piece::{Text, width};
use crate::style::Style;
use crate::units;

/// Columns that names and values take at most before the rest moves over.
const WIDEST: [usize; 2] = [26, 24];

/// The sections below each other, with headings if there are several.
pub fn page(sections: &[Section], form: Form) -> String {
    let mut page = Page::new(form);
    for section in sections {
        if sections.len() > 1 {
            page.gap();
            page.line(&Text::default().and(Style::Strong, section.name));
        }
        rows(&mut page, section);
        for fault in &section.faults {
            let text = form.charset.sentence(&fault.to_string());
            page.paragraph(&Text::default().and(Style::Suspect, text), 2);
        }
        if section.rows.is_empty() && section.faults.is_empty() {
            page.line(&Text::default().and(Style::Dim, "(empty)"));
        }
    }
    page.finish()
}

fn rows(page: &mut Page, section: &Section) {
    let charset = page.form.charset;
    let cells: Vec<[String; 3]> = section
        .rows
        .iter()
        .map(|row| [charset.name(&row.name), value(row, charset), charset.name(&row.meaning)])
        .collect();
    let widest = |index: usize| {
        let all = cells.iter().map(|cells| width(&cells[index]));
        all.max().unwrap_or(0).min(WIDEST[index])
    };
    let has_meaning = cells.iter().any(|cells| !cells[2].is_empty());
    let (names, values) = (widest(0), widest(1));
    for [name, value, meaning] in cells {
        let mut line = Text::default().and_solid(Style::Label, name).pad_to(names + 2);
        line = line.and_solid(Style::Plain, value);
        if has_meaning && !meaning.is_empty() {
            line = line.pad_to(names + values + 4).and_solid(Style::Dim, meaning);
        }
        page.line(&line);
    }
}

/// The kernel's text, and behind it what the number is for people.
fn value(row: &Row, charset: crate::Charset) -> String {
    let text = charset.name(&row.value);
    let Ok(number) = text.parse::<u64>() else { return text };
    let people = match row.unit {
        Unit::None => return text,
        Unit::Address => return format!("{number:#x}"),
        Unit::Bytes => units::bytes(number),
        Unit::Pages(bytes) => units::bytes(number.saturating_mul(bytes)),
        Unit::Ticks(per_s) => units::duration_s(number as f64 / per_s as f64),
    };
    format!("{text} ({people})")
}

/// Memory from `address` on, sixteen bytes a line, as hexdump -C prints it.
pub fn memory(address: u64, bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 5);
    for (index, line) in bytes.chunks(16).enumerate() {
        out.push_str(&format!("{:016x} ", address.wrapping_add(index as u64 * 16)));
        for at in 0..16 {
            let gap = if at % 8 == 0 { " " } else { "" };
            match line.get(at) {
                Some(byte) => out.push_str(&format!("{gap}{byte:02x} ")),
                None => out.push_str(&format!("{gap}   ")),
            }
        }
        let letters = line.iter().map(|&b| if matches!(b, 32..127) { char::from(b) } else { '.' });
        out.push_str(&format!(" |{}|\n", letters.collect::<String>()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_looks_as_hexdump_shows_it() {
        let text = memory(0x7ffe_0010, b"GET / HTTP/1.1\r\nHost");
        let expected = "\
            000000007ffe0010  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 31 0d 0a  |GET / HTTP/1.1..|\n\
            000000007ffe0020  48 6f 73 74                                       |Host|\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn numbers_have_their_units() {
        let rows = vec![
            Row::new("vsize", "8192").with(Unit::Bytes, "address space"),
            Row::new("rss", "2").with(Unit::Pages(4096), "resident memory"),
            Row::new("utime", "250").with(Unit::Ticks(100), "user time"),
            Row::new("startcode", "4096").with(Unit::Address, ""),
            Row::new("comm", "a\u{1b}"),
        ];
        let section = Section { name: "stat", rows, faults: Vec::new() };
        let expected = "vsize      8192 (8.0 KiB)  address space\n\
            rss        2 (8.0 KiB)     resident memory\n\
            utime      250 (2.5 s)     user time\n\
            startcode  0x1000\n\
            comm       a\\x1b\n";
        assert_eq!(page(&[section], Form::default()), expected);
    }
}
