//! Sentences for the error stream, beginning with the program's name as lsof's do.

use crate::safe::{self, Charset};

/// What is said while options are read.
#[derive(Debug)]
pub(crate) struct Messages {
    program: &'static str,
    pub(crate) text: Vec<u8>,
    /// True once something was wrong: the run ends with the usage.
    pub(crate) wrong: bool,
    /// True once something ends the run at once, without the usage.
    pub(crate) fatal: bool,
}

impl Messages {
    pub(crate) fn new(program: &'static str) -> Self {
        Messages { program, text: Vec::new(), wrong: false, fatal: false }
    }

    /// `lsof: sentence` and, escaped, a text that came from outside.
    pub(crate) fn say(&mut self, sentence: &str, text: &[u8]) {
        self.text.extend_from_slice(self.program.as_bytes());
        self.text.extend_from_slice(b": ");
        self.text.extend_from_slice(sentence.as_bytes());
        safe::push(&mut self.text, text, Charset::Utf8);
        self.text.push(b'\n');
    }

    /// The same for something that ends the run.
    pub(crate) fn wrong(&mut self, sentence: &str, text: &[u8]) {
        self.say(sentence, text);
        self.wrong = true;
    }

    /// `lsof: before TEXT after`.
    pub(crate) fn around(&mut self, before: &str, text: &[u8], after: &str) {
        self.say(before, text);
        self.text.pop();
        self.text.extend_from_slice(after.as_bytes());
        self.text.push(b'\n');
    }
}
