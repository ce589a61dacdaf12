//! The JSON of `fdscope proc --json`: `"schema": "fdscope/proc/1"`.

use fdscope_model::section::{Row, Section};
use serde::Serialize;

use super::{FaultForm, name};

/// The name and version of this form.
pub const SCHEMA: &str = "fdscope/proc/1";

/// The object, on one line with a line end.
pub fn sections(pid: u32, taken_at_ns: u64, sections: &[Section]) -> String {
    let form = ProcForm {
        schema: SCHEMA,
        fdscope: env!("CARGO_PKG_VERSION"),
        taken_at_ns,
        pid,
        sections: sections.iter().map(SectionForm::of).collect(),
    };
    let mut text = serde_json::to_string(&form).expect("every key is a string and no value fails");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct ProcForm {
    schema: &'static str,
    fdscope: &'static str,
    taken_at_ns: u64,
    pid: u32,
    sections: Vec<SectionForm>,
}

#[derive(Serialize)]
struct SectionForm {
    name: &'static str,
    rows: Vec<RowForm>,
    faults: Vec<FaultForm>,
}

impl SectionForm {
    fn of(section: &Section) -> Self {
        SectionForm {
            name: section.name,
            rows: section.rows.iter().map(RowForm::of).collect(),
            faults: section.faults.iter().map(FaultForm::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct RowForm {
    name: String,
    value: String,
    unit: Option<&'static str>,
    meaning: String,
}

impl RowForm {
    fn of(row: &Row) -> Self {
        RowForm {
            name: name(&row.name),
            value: name(&row.value),
            unit: row.unit.word(),
            meaning: name(&row.meaning),
        }
    }
}
