//! Times: structures of seconds and parts, and dates.

use super::numbers;
use super::pen::Pen;
use super::row::{Argument, input, output};
use crate::capture::{Length, What};

/// `struct timespec` that the kernel reads.
pub(crate) const TIMESPEC_IN: Argument =
    input(|pen, r| pen.timespec_at(pen.arg(r)), What::Bytes(Length::Const(16)));
/// The same, written.
pub(crate) const TIMESPEC_OUT: Argument =
    output(|pen, r| pen.timespec_at(pen.arg(r)), What::Bytes(Length::Const(16)));
/// `struct itimerspec` that the kernel reads.
pub(crate) const ITIMERSPEC_IN: Argument =
    input(|pen, r| pen.itimerspec_at(pen.arg(r)), What::Bytes(Length::Const(32)));
/// The same, written.
pub(crate) const ITIMERSPEC_OUT: Argument =
    output(|pen, r| pen.itimerspec_at(pen.arg(r)), What::Bytes(Length::Const(32)));
/// `struct timeval` that the kernel reads.
pub(crate) const TIMEVAL_IN: Argument =
    input(|pen, r| pen.timeval_at(pen.arg(r)), What::Bytes(Length::Const(16)));
/// The same, written.
pub(crate) const TIMEVAL_OUT: Argument =
    output(|pen, r| pen.timeval_at(pen.arg(r)), What::Bytes(Length::Const(16)));

/// Days and seconds of the day as a date of the proleptic Gregorian calendar: year, month, day.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The largest time that is written as a date.
const LATEST: i64 = 1 << 55;

impl Pen<'_> {
    /// True if the call's times are 64 bits wide: on 64-bit interfaces, and in the newer calls of 32-bit ones.
    pub fn wide_time(&self) -> bool {
        !self.compat() || self.name.ends_with("64")
    }

    /// Bytes of one of the two numbers of a time.
    pub fn time_bytes(&self) -> usize {
        if self.wide_time() { 8 } else { 4 }
    }

    /// The two numbers of a time, if readable.
    pub fn time_pair(&self, address: u64) -> Option<(i64, i64)> {
        let half = self.time_bytes();
        let block = self.fetch(address, 2 * half)?;
        Some(match half {
            8 => (block.u64(0) as i64, block.u64(8) as i64),
            _ => (block.i32(0), block.i32(4)),
        })
    }

    /// `{tv_sec=1, tv_nsec=2}`.
    pub fn timespec(&mut self, (seconds, nanoseconds): (i64, i64)) {
        self.text("{tv_sec=");
        self.signed(seconds);
        self.text(", tv_nsec=");
        self.unsigned(nanoseconds as u64);
        self.text("}");
    }

    /// `{tv_sec=1, tv_usec=2}`.
    pub fn timeval(&mut self, (seconds, microseconds): (i64, i64)) {
        self.text("{tv_sec=");
        self.signed(seconds);
        self.text(", tv_usec=");
        self.unsigned(microseconds as u64);
        self.text("}");
    }

    /// `struct timespec` at an address.
    pub fn timespec_at(&mut self, address: u64) {
        match self.time_pair(address) {
            Some(pair) => self.timespec(pair),
            None => self.address(address),
        }
    }

    /// `struct timeval` at an address.
    pub fn timeval_at(&mut self, address: u64) {
        match self.time_pair(address) {
            Some(pair) => self.timeval(pair),
            None => self.address(address),
        }
    }

    /// Two times, the second in the memory after the first.
    pub fn time_pairs(&self, address: u64) -> Option<[(i64, i64); 2]> {
        let next = address.wrapping_add(2 * self.time_bytes() as u64);
        Some([self.time_pair(address)?, self.time_pair(next)?])
    }

    /// `{it_interval={tv_sec=0, tv_nsec=0}, it_value={tv_sec=1, tv_nsec=0}}`.
    pub fn itimerspec_at(&mut self, address: u64) {
        self.interval(address, Pen::timespec);
    }

    /// The same in microseconds.
    pub fn itimerval_at(&mut self, address: u64) {
        self.interval(address, Pen::timeval);
    }

    fn interval(&mut self, address: u64, write: fn(&mut Self, (i64, i64))) {
        let Some([interval, value]) = self.time_pairs(address) else {
            return self.address(address);
        };
        self.text("{it_interval=");
        write(self, interval);
        self.text(", it_value=");
        write(self, value);
        self.text("}");
    }

    /// ` /* 2026-01-02T03:04:05.000000006+0000 */`; nothing at the beginning of time.
    pub fn date(&mut self, seconds: i64, nanoseconds: i64) {
        if seconds == 0 && nanoseconds == 0 || seconds.abs() > LATEST {
            return;
        }
        let zone = (self.style.zone)(seconds);
        let local = seconds + i64::from(zone);
        let (year, month, day) = civil(local.div_euclid(86_400));
        let second = local.rem_euclid(86_400);
        self.text(" /* ");
        self.signed(year);
        let [hour, minute, second] = [second / 3600, second / 60 % 60, second % 60];
        let mut text = *b"-00-00T00:00:00";
        for (place, value) in [month, day, hour, minute, second].into_iter().enumerate() {
            text[3 * place + 1] += (value / 10 % 10) as u8;
            text[3 * place + 2] += (value % 10) as u8;
        }
        self.out.extend_from_slice(&text);
        if nanoseconds > 0 {
            self.text(".");
            numbers::padded(self.out, nanoseconds as u64, 9);
        }
        self.two_digits(if zone < 0 { "-" } else { "+" }, i64::from(zone.abs() / 3600));
        self.two_digits("", i64::from(zone.abs() / 60 % 60));
        self.text(" */");
    }

    fn two_digits(&mut self, mark: &str, value: i64) {
        self.text(mark);
        numbers::padded(self.out, value.unsigned_abs(), 2);
    }
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn days_are_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_781), (2026, 11, 24));
    }
}
