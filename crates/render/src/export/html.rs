//! One page that needs nothing else: the report's JSON and the code that shows it.
//!
//! The page makes no request (its own policy forbids any), and shows every name as text: data stands in a script element
//! of a type that no browser runs, with every `<` escaped, and reaches the page by `textContent` only.

use fdscope_model::verdict::Report;
use serde::Serialize;

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

const PAGE: &str = include_str!("page.html");
const REPORT: &str = "@REPORT@";
const HANDLES: &str = "@HANDLES@";

/// The page.
pub fn page(report: &Report, handles: &[HandleRow]) -> String {
    let handles = serde_json::to_string(handles).expect("every key is a string and no value fails");
    let report = crate::json::report(report);
    let (before, rest) = PAGE.split_once(REPORT).expect("the page has a place for the report");
    let (between, after) = rest.split_once(HANDLES).expect("and one for the handles behind it");
    [before, inert(report.trim_end()).as_str(), between, inert(&handles).as_str(), after].concat()
}

/// The JSON of a page's report and of its handles, as they were put in; `None` for what is no such page.
pub fn data_of(page: &str) -> Option<(String, String)> {
    let (before, rest) = PAGE.split_once(REPORT)?;
    let (between, _) = rest.split_once(HANDLES)?;
    // The style and the script of another version may differ: what marks the data does not.
    let mark = before.rsplit_once('\n').map_or(before, |(_, line)| line);
    let (report, rest) = page.split_once(mark)?.1.split_once(between)?;
    let (handles, _) = rest.split_once("</script>")?;
    Some((report.to_owned(), handles.to_owned()))
}

/// JSON in which nothing can end a script element, and no line separator ends a line of one.
fn inert(json: &str) -> String {
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_a_page_come_back() {
        let report = Report { machine: "</script>\u{2028}".to_owned(), ..made() };
        let handle = HandleRow {
            pid: 7,
            comm: "a</script><b>".to_owned(),
            fd: 3,
            kind: "file",
            name: "\\x1b".to_owned(),
            site: String::new(),
            age_ns: None,
        };
        let (found, handles) =
            data_of(&page(&report, std::slice::from_ref(&handle))).expect("a page");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(value(&found), value(&crate::json::report(&report)));
        assert_eq!(value(&handles), serde_json::json!([handle]));
        assert_eq!(data_of("<html></html>"), None);
    }

    fn made() -> Report {
        let nothing = Report::of_nothing(fdscope_model::SourceName::Recording);
        Report { taken_at_ns: 1, ended: fdscope_model::Monotonic(1), ..nothing }
    }

    #[test]
    fn nothing_in_data_ends_its_element() {
        assert_eq!(inert("\"</script><!--\""), "\"\\u003c/script>\\u003c!--\"");
        assert!(PAGE.contains("default-src 'none'"));
        assert!(
            !PAGE.contains("innerHTML") && !PAGE.contains("http:") && !PAGE.contains("https:"),
            "no request, no markup from data"
        );
    }
}
