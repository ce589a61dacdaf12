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

/// JSON in which nothing can end a script element, and no line separator ends a line of one.
fn inert(json: &str) -> String {
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

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
