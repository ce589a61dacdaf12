//! The shape of a verdict's block: labels at the left, text beside them.

use crate::page::Page;
use crate::piece::Text;
use crate::style::Style;

/// Where the text beside the labels begins.
pub const COLUMN: usize = 13;

/// A label at the left, and text that wraps beside it.
pub fn labelled(page: &mut Page, label: &str, text: Text) {
    hanging(page, label, text, COLUMN);
}

/// The same, the lines after the first one beginning at `hang`.
pub fn hanging(page: &mut Page, label: &str, text: Text, hang: usize) {
    let label = Text::plain("  ").and(Style::Label, label).pad_to(COLUMN);
    page.paragraph(&label.and_text(text), hang);
}
