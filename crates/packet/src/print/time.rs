//! The time at the head of a line, in the forms of `-t` … `-ttttt`.

use super::line::{decimal, padded};
use crate::Time;

/// Which form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimeForm {
    /// Hours, minutes, seconds of the local day.
    #[default]
    Day,
    /// `-t`: none.
    Absent,
    /// `-tt`: seconds since 1970.
    Epoch,
    /// `-ttt`: since the packet before.
    SincePrevious,
    /// `-tttt`: with the date.
    Date,
    /// `-ttttt`: since the first packet.
    SinceFirst,
}

/// Seconds east of UTC at a time.
pub type Zone = fn(i64) -> i64;

/// Offsets change at quarters of an hour, never within.
const QUARTER_S: i64 = 900;

/// Writes times; it remembers the last second's text, because packets come in bursts.
#[derive(Debug)]
pub struct Clock {
    form: TimeForm,
    nanos: bool,
    zone: Zone,
    /// A quarter of an hour and its offset.
    offset: Option<(i64, i64)>,
    /// A second and its text.
    written: Option<(i64, Vec<u8>)>,
    reference: Option<Time>,
}

impl Clock {
    /// A clock of a form.
    pub fn new(form: TimeForm, nanos: bool, zone: Zone) -> Self {
        Clock { form, nanos, zone, offset: None, written: None, reference: None }
    }

    /// Appends a time and a space.
    pub fn write(&mut self, time: Time, out: &mut Vec<u8>) {
        match self.form {
            TimeForm::Absent => return,
            TimeForm::Day | TimeForm::Date => self.local(time, out),
            TimeForm::Epoch if in_range(time.seconds) => {
                decimal(out, time.seconds as u64);
                self.fraction(time.nanos, out);
            }
            TimeForm::Epoch => out.extend_from_slice(ERROR),
            TimeForm::SincePrevious | TimeForm::SinceFirst => self.since(time, out),
        }
        out.push(b' ');
    }

    fn local(&mut self, time: Time, out: &mut Vec<u8>) {
        if !in_range(time.seconds) {
            out.extend_from_slice(ERROR);
            return;
        }
        match &self.written {
            Some((second, text)) if *second == time.seconds => out.extend_from_slice(text),
            _ => {
                let text = self.local_text(time.seconds);
                out.extend_from_slice(&text);
                self.written = Some((time.seconds, text));
            }
        }
        self.fraction(time.nanos, out);
    }

    fn local_text(&mut self, seconds: i64) -> Vec<u8> {
        let quarter = seconds.div_euclid(QUARTER_S);
        let offset = match self.offset {
            Some((known, offset)) if known == quarter => offset,
            _ => (self.zone)(seconds),
        };
        self.offset = Some((quarter, offset));
        let local = seconds + offset;
        let mut text = Vec::with_capacity(20);
        if self.form == TimeForm::Date {
            date(local.div_euclid(86_400), &mut text);
        }
        day(local.rem_euclid(86_400), &mut text);
        text
    }

    fn since(&mut self, time: Time, out: &mut Vec<u8>) {
        let unit = if self.nanos { 1 } else { 1000 };
        let total = |time: Time| {
            i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos / unit * unit)
        };
        let reference = *self.reference.get_or_insert(time);
        let passed = total(time) - total(reference);
        out.push(if passed < 0 { b'-' } else { b' ' });
        let passed = passed.unsigned_abs();
        let seconds = (passed / 1_000_000_000) as i64;
        if in_range(seconds) {
            day(seconds.rem_euclid(86_400), out);
            self.fraction((passed % 1_000_000_000) as u64, out);
        } else {
            out.extend_from_slice(ERROR);
        }
        if self.form == TimeForm::SincePrevious {
            self.reference = Some(time);
        }
    }

    fn fraction(&self, nanos: u64, out: &mut Vec<u8>) {
        out.push(b'.');
        if self.nanos { padded(out, nanos, 9) } else { padded(out, nanos / 1000, 6) }
    }
}

const ERROR: &[u8] = b"[Error converting time]";

/// tcpdump takes seconds for 31 bits.
fn in_range(seconds: i64) -> bool {
    seconds & 0x8000_0000 == 0
}

fn day(second: i64, out: &mut Vec<u8>) {
    let second = second as u32;
    padded(out, u64::from(second / 3600), 2);
    out.push(b':');
    padded(out, u64::from(second / 60 % 60), 2);
    out.push(b':');
    padded(out, u64::from(second % 60), 2);
}

/// The civil date of a day since 1970 and a space (the algorithm counts from 1 March of a 400-year era).
fn date(days: i64, out: &mut Vec<u8>) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    padded(out, year as u64, 4);
    out.push(b'-');
    padded(out, month as u64, 2);
    out.push(b'-');
    padded(out, (of_year - (153 * shifted + 2) / 5 + 1) as u64, 2);
    out.push(b' ');
}

#[cfg(test)]
mod tests {
    use super::{Clock, TimeForm};
    use crate::Time;

    fn check(form: TimeForm, nanos: bool, seconds: &[(i64, u64)], expected: &str) {
        let mut clock = Clock::new(form, nanos, |_| 3600);
        let mut out = Vec::new();
        for &(seconds, nanos) in seconds {
            clock.write(Time { seconds, nanos }, &mut out);
        }
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn every_form_is_written() {
        check(TimeForm::Day, false, &[(0, 1_999)], "01:00:00.000001 ");
        check(TimeForm::Day, true, &[(86_399, 1_999)], "00:59:59.000001999 ");
        check(TimeForm::Absent, true, &[(86_399, 1_999)], "");
        check(TimeForm::Epoch, false, &[(86_399, 5_000)], "86399.000005 ");
        check(TimeForm::Date, false, &[(951_782_400, 0)], "2000-02-29 01:00:00.000000 ");
        check(TimeForm::Date, false, &[(1_709_251_199, 0)], "2024-03-01 00:59:59.000000 ");
        check(
            TimeForm::SincePrevious,
            false,
            &[(5, 0), (6, 500_000), (6, 0)],
            " 00:00:00.000000  00:00:01.000500 -00:00:00.000500 ",
        );
        check(
            TimeForm::SinceFirst,
            false,
            &[(5, 0), (6, 0), (9, 0)],
            " 00:00:00.000000  00:00:01.000000  00:00:04.000000 ",
        );
    }
}
