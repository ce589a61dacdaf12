//! One page that needs nothing else: the report's JSON and the code that shows it (`page/`, a file per part).
//!
//! The page makes no request (its own policy forbids any), and shows every name as text: data stands in script elements
//! of a type that no browser runs, with every `<` escaped, and reaches the page by `textContent` only.

use fdscope_model::verdict::Report;
use serde::Serialize;

/// The name and version of the object that holds all of a page's data.
pub const SCHEMA: &str = "fdscope/page/1";

/// A living handle, for the table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HandleRow {
    /// The process.
    pub pid: u32,
    /// Its name.
    pub comm: String,
    /// The descriptor.
    pub fd: u32,
    /// Its kind.
    pub kind: &'static str,
    /// Path or peer; empty if unknown.
    pub name: String,
    /// The function that made it; empty if unknown.
    pub site: String,
    /// Age in nanoseconds; `None` if it was there before.
    pub age_ns: Option<u64>,
}

/// Counts over the watch, for the timeline.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Course {
    /// The moments counted, in nanoseconds after the beginning.
    pub at_ns: Vec<u64>,
    /// What was counted at each.
    pub lines: Vec<CourseLine>,
}

/// One line of the timeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CourseLine {
    /// The graph it stands in: `handles`, `sockets`, `threads` or `others`.
    pub of: &'static str,
    /// What it counts: a kind, or the state of sockets.
    pub name: String,
    /// How many at each moment.
    pub values: Vec<u64>,
}

/// All that a page shows.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// The verdicts.
    pub report: &'a Report,
    /// Every living descriptor.
    pub handles: &'a [HandleRow],
    /// The timeline.
    pub course: &'a Course,
}

/// The same as it was found in a page: the JSON of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found<'a> {
    /// As `fdscope leak --json` writes it.
    pub report: &'a str,
    /// A list of [`HandleRow`].
    pub handles: &'a str,
    /// A [`Course`].
    pub course: &'a str,
}

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// In this order: each uses those before it.
const SCRIPTS: &[&str] = &[
    include_str!("page/base.js"),
    include_str!("page/findings.js"),
    include_str!("page/timeline.js"),
    include_str!("page/flame.js"),
    include_str!("page/table.js"),
    include_str!("page/tables.js"),
    include_str!("page/keys.js"),
];
/// The elements that hold data.
const DATA: [&str; 3] = ["report", "handles", "course"];

/// The page.
pub fn page(contents: Contents<'_>) -> String {
    let [report, handles, course] = written(contents);
    let script = SCRIPTS.concat();
    let fill = |name: &str| match name {
        "STYLE" => STYLE.to_owned(),
        "SCRIPT" => script.clone(),
        "REPORT" => inert(&report),
        "HANDLES" => inert(&handles),
        _ => inert(&course),
    };
    // Every other part is a name: what is filled in is not looked at again.
    let parts = PAGE.split('@').enumerate();
    parts.map(|(n, part)| if n % 2 == 0 { part.to_owned() } else { fill(part) }).collect()
}

/// All of it as one object, on one line: `"schema": "fdscope/page/1"`.
pub fn data(contents: Contents<'_>) -> String {
    let [report, handles, course] = &written(contents);
    object(&Found { report, handles, course })
}

/// The same of what was found in a page.
pub fn object(found: &Found<'_>) -> String {
    let Found { report, handles, course } = found;
    format!(
        "{{\"schema\":\"{SCHEMA}\",\"report\":{report},\"handles\":{handles},\"course\":{course}}}\n"
    )
}

fn written(contents: Contents<'_>) -> [String; 3] {
    let report = crate::json::report(contents.report).trim_end().to_owned();
    let why = "every key is a string and no value fails";
    let handles = serde_json::to_string(contents.handles).expect(why);
    [report, handles, serde_json::to_string(contents.course).expect(why)]
}

/// The data of a page as they were put in; `None` for what is no such page.
pub fn data_of(page: &str) -> Option<Found<'_>> {
    let mut rest = page;
    let mut next = |name: &str| {
        // What marks the data is the same in every version; style and script may differ.
        let mark = format!("<script type=\"application/json\" id=\"{name}\">");
        let (data, after) = rest.split_once(&mark)?.1.split_once("</script>")?;
        rest = after;
        Some(data)
    };
    let [report, handles, course] = DATA.map(&mut next);
    Some(Found { report: report?, handles: handles?, course: course? })
}

/// JSON in which nothing can end a script element, and no line separator ends a line of one.
fn inert(json: &str) -> String {
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Report {
        let nothing = Report::of_nothing(fdscope_model::SourceName::Recording);
        Report { taken_at_ns: 1, ended: fdscope_model::Monotonic(1), ..nothing }
    }

    #[test]
    fn the_data_of_a_page_come_back() {
        let report = Report { machine: "</script>\u{2028}@COURSE@@".to_owned(), ..made() };
        let handle = HandleRow {
            pid: 7,
            comm: "a</script><b>".to_owned(),
            fd: 3,
            kind: "file",
            name: "\\x1b@HANDLES@".to_owned(),
            site: String::new(),
            age_ns: None,
        };
        let line = CourseLine { of: "sockets", name: "<a>".to_owned(), values: vec![1, 2] };
        let course = Course { at_ns: vec![0, 5], lines: vec![line] };
        let contents =
            Contents { report: &report, handles: std::slice::from_ref(&handle), course: &course };
        let page = page(contents);
        let found = data_of(&page).expect("a page");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(value(found.report), value(&crate::json::report(&report)));
        assert_eq!(value(found.handles), serde_json::json!([handle]));
        assert_eq!(value(found.course), serde_json::json!(course));
        assert_eq!(value(&object(&found)), value(&data(contents)));
        assert_eq!(data_of("<html></html>"), None);
    }

    #[test]
    fn nothing_in_data_ends_its_element() {
        assert_eq!(inert("\"</script><!--\""), "\"\\u003c/script>\\u003c!--\"");
        assert!(PAGE.contains("default-src 'none'"));
        assert_eq!(PAGE.matches('@').count(), 10, "a place for each of five parts");
        let code = SCRIPTS.concat() + STYLE + PAGE;
        for word in ["innerHTML", "insertAdjacent", "document.write", "http:", "https:", "fetch("] {
            assert!(!code.contains(word), "no request, no markup from data: {word}");
        }
        assert!(!code.to_lowercase().contains("</script>\n</script>"));
        assert!(code.len() < 100_000, "far below the megabyte that a page may take");
    }
}
