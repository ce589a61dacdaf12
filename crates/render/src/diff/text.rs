//! The comparison as a page: what was compared, the groups, counts, the handles one by one if asked for.

use fdscope_model::HandleKey;
use fdscope_model::diff::{Diff, Held, Origin, Side};

use super::{By, Group, groups, site_of};
use crate::charset::Charset;
use crate::page::{Form, Page};
use crate::piece::Text;
use crate::style::Style;
use crate::table::{Align, Cell, Column, Keep, Table};
use crate::units;

/// What is shown of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// What is grouped by.
    pub by: &'a [By],
    /// Groups in which nothing changed, too.
    pub all: bool,
    /// Each new and gone handle.
    pub list: bool,
    /// The one next command worth running.
    pub next: Option<&'a (String, String)>,
}

/// The page.
pub fn page(diff: &Diff, shown: Shown<'_>, form: Form) -> String {
    let mut page = Page::new(form);
    head(&mut page, diff);
    let groups = groups(diff, shown.by, form.charset);
    let rows: Vec<&Group> = groups.iter().filter(|g| shown.all || g.is_changed()).collect();
    if !rows.is_empty() {
        page.gap();
        lay(&mut page, &group_table(&rows, shown.by));
    }
    quiet(&mut page, &groups, rows.len());
    counts(&mut page, diff);
    if shown.list {
        list(&mut page, "New", &diff.new, diff);
        list(&mut page, "Gone", &diff.gone, diff);
    }
    notes(&mut page, diff);
    if let Some((command, why)) = shown.next {
        page.gap();
        let text = Text::default().and(Style::Label, "Next  ").and_solid(Style::Strong, command);
        page.paragraph(&text.and(Style::Plain, format!("  {why}")), 6);
    }
    page.finish()
}

fn head(page: &mut Page, diff: &Diff) {
    let charset = page.form.charset;
    for (word, side) in [("from  ", &diff.from), ("to    ", &diff.to)] {
        let text = Text::default().and(Style::Label, word).and_text(told(side, charset));
        page.paragraph(&text, 6);
    }
    page.gap();
    let [new, gone] = [diff.new.len(), diff.gone.len()].map(|n| units::count(n as u64));
    let kept = units::count(diff.kept.len() as u64);
    let span_ns = diff.to.wall_ns.abs_diff(diff.from.wall_ns);
    let text = Text::default()
        .and(if diff.new.is_empty() { Style::Plain } else { Style::Strong }, format!("{new} new"))
        .and(Style::Plain, format!(", {gone} gone, {kept} kept"))
        .and(Style::Dim, format!("  in {}", units::duration_ns(span_ns)));
    page.paragraph(&text, 2);
}

fn told(side: &Side, charset: Charset) -> Text {
    let held = units::count_of(side.held, "handle", "handles");
    let holders = match side.processes {
        1 => String::new(),
        many => format!(" of {}", units::count_of(many, "process", "processes")),
    };
    let origin = if side.origin == Origin::Now { " now" } else { "" };
    Text::default()
        .and_solid(Style::Strong, charset.symbol(&side.label))
        .and(Style::Plain, format!("{origin}, {}: ", units::wall_time(side.wall_ns)))
        .and(Style::Plain, format!("{held}{holders}"))
}

fn group_table(groups: &[&Group], by: &[By]) -> Table {
    let last = by.len().saturating_sub(1);
    let mut columns: Vec<Column> =
        ["NEW", "GONE", "KEPT"].iter().map(|header| Column::right(header)).collect();
    columns.extend(by.iter().enumerate().map(|(index, by)| Column {
        header: by.header(),
        align: if *by == By::Pid { Align::Right } else { Align::Left },
        keep: if index == last && *by != By::Pid { Keep::Shorten(12) } else { Keep::Always },
    }));
    // A path may be as long as the page; only one column gives way.
    if let Some(name) = columns.iter().position(|column| column.header == By::Name.header())
        && by.last() == Some(&By::Site)
    {
        columns[name].keep = Keep::Shorten(16);
        if let Some(site) = columns.last_mut() {
            site.keep = Keep::Shorten(16);
        }
    }
    let row = |group: &&Group| {
        let mut cells = vec![
            Cell::styled(strong(group.new), units::count(group.new)),
            Cell::new(units::count(group.gone)),
            Cell::new(units::count(group.kept)),
        ];
        cells.extend(group.values.iter().zip(by).map(|(value, by)| match (value.as_str(), by) {
            ("", By::Site) => Cell::styled(Style::Dim, "(birth not seen)"),
            ("", _) => Cell::styled(Style::Dim, "-"),
            (value, By::Site) => Cell::styled(Style::Site, value),
            // No digit of an address may be missing.
            (value, By::Peer | By::Name) => Cell { whole: group.addressed, ..Cell::new(value) },
            (value, _) => Cell::new(value),
        }));
        cells
    };
    Table { columns, rows: groups.iter().map(row).collect() }
}

fn strong(new: u64) -> Style {
    if new > 0 { Style::Strong } else { Style::Plain }
}

fn lay(page: &mut Page, table: &Table) {
    let laid = table.lay_out(page.form.width, page.form.charset);
    laid.lines.iter().for_each(|line| page.line(line));
}

/// Groups that are not shown are counted.
fn quiet(page: &mut Page, groups: &[Group], shown: usize) {
    let hidden = groups.len() - shown;
    if hidden == 0 {
        return;
    }
    let kept: u64 = groups.iter().filter(|group| !group.is_changed()).map(|group| group.kept).sum();
    let text = format!(
        "{} unchanged in {} (--all shows them)",
        units::count_of(kept, "handle", "handles"),
        units::count_of(hidden as u64, "group", "groups"),
    );
    page.paragraph(&Text::default().and(Style::Dim, text), 2);
}

/// Threads, zombies and their like, which are counted.
fn counts(page: &mut Page, diff: &Diff) {
    if diff.changed.is_empty() {
        return;
    }
    page.gap();
    let charset = page.form.charset;
    let columns = vec![
        Column::right("FROM"),
        Column::right("TO"),
        Column::left("COUNTED"),
        Column::left("GROUP").keep(Keep::Shorten(16)),
    ];
    let row = |row: &fdscope_model::diff::Changed| {
        vec![
            Cell::new(units::count(row.from)),
            Cell::new(units::count(row.to)),
            Cell::new(row.kind.word()),
            Cell::new(charset.name(&row.group)),
        ]
    };
    lay(page, &Table { columns, rows: diff.changed.iter().map(row).collect() });
}

fn list(page: &mut Page, title: &str, rows: &[Held], diff: &Diff) {
    if rows.is_empty() {
        return;
    }
    page.gap();
    page.line(&Text::default().and(Style::Strong, title));
    let charset = page.form.charset;
    let columns = vec![
        Column::right("PID"),
        Column::left("COMMAND").keep(Keep::Drop(2)),
        Column::right("FD"),
        Column::left("KIND"),
        Column::right("AGE").keep(Keep::Drop(1)),
        Column::left("NAME").keep(Keep::Shorten(20)),
        Column::left("MADE BY").keep(Keep::Drop(3)),
    ];
    let row = |held: &Held| {
        let number = match held.key {
            HandleKey::Descriptor(_, fd) => fd.to_string(),
            HandleKey::Thread(tid) => format!("tid {tid}"),
            _ => "-".to_owned(),
        };
        vec![
            Cell::new(held.process.pid.to_string()),
            Cell::new(charset.name(&held.comm)),
            Cell::new(number),
            Cell::new(held.kind.word()),
            Cell::new(age(held, diff)),
            Cell::new(charset.name(&held.name)),
            Cell::styled(Style::Site, site_of(held, charset).unwrap_or_default()),
        ]
    };
    lay(page, &Table { columns, rows: rows.iter().map(row).collect() });
}

/// Age at the second moment, where the birth was seen.
fn age(held: &Held, diff: &Diff) -> String {
    let age_ns = || diff.to.at.since_ns(held.born);
    if held.birth_seen { units::duration_ns(age_ns()) } else { "-".to_owned() }
}

fn notes(page: &mut Page, diff: &Diff) {
    let mut notes = diff.notes.clone();
    if diff.presumed > 0 {
        let handles = units::count_of(diff.presumed, "kept handle is", "kept handles are");
        notes.push(format!(
            "{handles} taken for the same by number and file: nobody watched in between"
        ));
    }
    for (side, word) in [(&diff.from, "first"), (&diff.to, "second")] {
        if side.lost > 0 {
            let events = units::count_of(side.lost, "event was", "events were");
            notes.push(format!("{events} lost before the {word} moment: some births lack"));
        }
    }
    if notes.is_empty() {
        return;
    }
    page.gap();
    for note in notes {
        let text = Text::plain("- ").and(Style::Plain, page.form.charset.sentence(&note));
        page.paragraph(&text, 2);
    }
}
