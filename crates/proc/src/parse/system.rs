//! System-wide numbers: /proc/sys/fs/file-nr, /proc/loadavg, and the files that hold one number.

use super::number::decimal;
use super::{ParseError, words};

/// /proc/sys/fs/file-nr.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileNr {
    /// Open file descriptions of the whole system.
    pub allocated: u64,
    /// The limit of them: fs.file-max.
    pub limit: u64,
}

/// Parses file-nr: allocated, free (0 since 2.6), limit.
///
/// # Errors
/// If there are no three numbers.
pub fn parse_file_nr(bytes: &[u8]) -> Result<FileNr, ParseError> {
    let error = ParseError { file: "sys/fs/file-nr", field: "number" };
    let mut numbers = words(bytes.trim_ascii()).map(decimal);
    let mut next = || numbers.next().flatten().ok_or(error);
    let (allocated, _, limit) = (next()?, next()?, next()?);
    Ok(FileNr { allocated, limit })
}

/// The number of tasks on the system, from the fourth field of loadavg (`running/total`).
///
/// # Errors
/// If the field is missing.
pub fn parse_loadavg_tasks(bytes: &[u8]) -> Result<u64, ParseError> {
    words(bytes)
        .nth(3)
        .and_then(|field| field.split(|&b| b == b'/').nth(1))
        .and_then(decimal)
        .ok_or(ParseError { file: "loadavg", field: "task count" })
}

/// A file with one number, or `max` for no limit (cgroup files).
///
/// # Errors
/// If it is neither.
pub fn parse_single(bytes: &[u8]) -> Result<u64, ParseError> {
    match bytes.trim_ascii() {
        b"max" => Ok(u64::MAX),
        digits => decimal(digits).ok_or(ParseError { file: "file", field: "number" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_numbers_are_read() {
        assert_eq!(parse_file_nr(b"521\t0\t99\n"), Ok(FileNr { allocated: 521, limit: 99 }));
        assert!(parse_file_nr(b"521\t0\n").is_err());
        assert_eq!(parse_loadavg_tasks(b"0.38 0.25 0.10 1/215 9716\n"), Ok(215));
        assert_eq!(parse_single(b"max\n"), Ok(u64::MAX));
        assert_eq!(parse_single(b"65530\n"), Ok(65_530));
        assert!(parse_single(b"-1\n").is_err());
    }
}
