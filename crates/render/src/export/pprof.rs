//! The profile of pprof (its profile.proto): living handles by creating stack.

use std::collections::BTreeMap;

use fdscope_model::verdict::Report;

use super::{Place, towers};

/// The bytes.
pub fn report(report: &Report) -> Vec<u8> {
    let mut profile = Profile::default();
    // The first text must be the empty one.
    profile.text("");
    let (handles, count) = (profile.text("handles"), profile.text("count"));
    let mut kind = Message::default();
    kind.number(1, handles).number(2, count);
    profile.whole.message(1, &kind);
    for (tower, count) in towers(report) {
        let mut sample = Message::default();
        for place in tower.into_iter().rev() {
            let id = profile.location(place);
            sample.number(1, id);
        }
        sample.number(2, count);
        profile.whole.message(2, &sample);
    }
    profile.whole.number(9, report.taken_at_ns);
    profile.whole.number(10, report.ended.since_ns(report.begun));
    profile.finish()
}

#[derive(Default)]
struct Profile {
    whole: Message,
    texts: BTreeMap<String, u64>,
    order: Vec<String>,
    locations: BTreeMap<Place, u64>,
}

impl Profile {
    fn text(&mut self, text: &str) -> u64 {
        let next = self.order.len() as u64;
        let number = *self.texts.entry(text.to_owned()).or_insert(next);
        if number == next {
            self.order.push(text.to_owned());
        }
        number
    }

    /// The number of a location, which has a function of the same number.
    fn location(&mut self, place: Place) -> u64 {
        if let Some(&id) = self.locations.get(&place) {
            return id;
        }
        let id = self.locations.len() as u64 + 1;
        let (name, file) = (self.text(&place.function), self.text(&place.file));
        let mut function = Message::default();
        function.number(1, id).number(2, name).number(3, name).number(4, file);
        let mut line = Message::default();
        line.number(1, id).number(2, place.line.into());
        let mut location = Message::default();
        location.number(1, id).message(4, &line);
        self.whole.message(4, &location);
        self.whole.message(5, &function);
        self.locations.insert(place, id);
        id
    }

    fn finish(mut self) -> Vec<u8> {
        for text in &self.order {
            self.whole.bytes(6, text.as_bytes());
        }
        self.whole.0
    }
}

/// A message of protocol buffers.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) -> &mut Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, message: &Message) {
        self.bytes(field, &message.0);
    }
}
