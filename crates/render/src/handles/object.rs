//! The JSON of `fdscope ls`: one object, `"schema": "fdscope/ls/1"`, or a line for each handle. `docs/json.md` is the
//! promise.
//!
//! Handles are written as they come; what is known only at the end (counts, faults) follows them.

use fdscope_model::Fault;
use serde::Serialize;

use crate::column::write_json;
use crate::json::{FaultForm, sentence};

/// The name and version of this form.
pub const SCHEMA: &str = "fdscope/ls/1";

/// What is known before the first handle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// What was typed.
    pub command: String,
    /// The machine, in a few words.
    pub machine: String,
    /// Where the rows are from, in a word.
    pub source: &'static str,
    /// And in a few.
    pub how: String,
    /// Wall time, ns since 1970.
    pub taken_at_ns: u64,
}

/// What is known after the last one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tail {
    /// Handles that passed.
    pub count: u64,
    /// Processes that were read.
    pub processes: u64,
    /// What could not be read.
    pub faults: Vec<Fault>,
}

#[derive(Serialize)]
struct HeadForm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<&'static str>,
    schema: &'static str,
    fdscope: &'static str,
    command: String,
    machine: &'a str,
    taken_at_ns: u64,
    source: SourceForm,
}

#[derive(Serialize)]
struct SourceForm {
    name: &'static str,
    how: String,
    cannot_see: [(); 0],
}

#[derive(Serialize)]
struct TailForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<&'static str>,
    count: u64,
    processes: u64,
    lost: u64,
    faults: Vec<FaultForm>,
}

impl Head {
    fn form(&self, line: Option<&'static str>) -> HeadForm<'_> {
        HeadForm {
            line,
            schema: SCHEMA,
            fdscope: env!("CARGO_PKG_VERSION"),
            command: sentence(&self.command),
            machine: &self.machine,
            taken_at_ns: self.taken_at_ns,
            source: SourceForm { name: self.source, how: sentence(&self.how), cannot_see: [] },
        }
    }

    /// Appends the object's beginning: a list or `null` for `handles` has to follow.
    pub fn open(&self, out: &mut Vec<u8>) {
        write_json(&self.form(None), out);
        out.pop();
        out.extend(b",\"handles\":");
    }

    /// Appends the first line of a stream.
    pub fn line(&self, out: &mut Vec<u8>) {
        write_json(&self.form(Some("run")), out);
        out.push(b'\n');
    }
}

impl Tail {
    fn form(&self, line: Option<&'static str>) -> TailForm {
        let faults = self.faults.iter().map(FaultForm::of).collect();
        let Tail { count, processes, .. } = *self;
        TailForm { line, count, processes, lost: 0, faults }
    }

    /// Appends what follows the groups, and the end of the object and of its line.
    pub fn close(&self, out: &mut Vec<u8>) {
        let start = out.len();
        write_json(&self.form(None), out);
        // The object's own bracket gives way to a comma.
        out[start] = b',';
        out.push(b'\n');
    }

    /// Appends the last line of a stream.
    pub fn line(&self, out: &mut Vec<u8>) {
        write_json(&self.form(Some("end")), out);
        out.push(b'\n');
    }
}
