//! The local time zone: what the C library makes of TZ and /etc/localtime.

use std::cell::Cell;
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::sync::Once;

unsafe extern "C" {
    /// tzset(3); libc declares it for other systems only.
    fn tzset();
}

static READ: Once = Once::new();

/// A time (seconds since 1970) as local clocks showed it; `None` if the C library cannot tell.
fn broken_down(seconds: i64) -> Option<libc::tm> {
    READ.call_once(|| {
        // SAFETY: tzset reads the environment, which this program never writes, and is called once.
        unsafe { tzset() }
    });
    let time: libc::time_t = seconds;
    let mut parts = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both addresses are those of locals; localtime_r writes the second and keeps neither.
    let answer = unsafe { libc::localtime_r(&raw const time, parts.as_mut_ptr()) };
    if answer.is_null() {
        return None;
    }
    // SAFETY: localtime_r did not fail, so that it wrote every field.
    Some(unsafe { parts.assume_init() })
}

/// Seconds east of UTC that local clocks showed at a time (seconds since 1970). 0 if the C library cannot tell.
pub fn offset_s(seconds: i64) -> i64 {
    broken_down(seconds).map_or(0, |parts| parts.tm_gmtoff)
}

/// The same, quickly for times that are near each other: clocks are only ever changed at a quarter of an hour.
pub fn offset_near_s(seconds: i64) -> i64 {
    thread_local! {
        static KNOWN: Cell<(i64, i64)> = const { Cell::new((i64::MIN, 0)) };
    }
    let quarter = seconds.div_euclid(900);
    let (known, offset) = KNOWN.get();
    if known == quarter {
        return offset;
    }
    let offset = offset_s(seconds);
    KNOWN.set((quarter, offset));
    offset
}

/// The present local time by a strftime(3) format; `None` if that gives nothing.
pub fn local_time(format: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: a null pointer is permitted; the time is only returned.
    let now = unsafe { libc::time(std::ptr::null_mut()) };
    local_time_of(format, now)
}

/// The local time of a moment, in seconds since the epoch, by a strftime(3) format; `None` if that gives nothing, or more
/// than a path may have (4,096 bytes).
pub fn local_time_of(format: &[u8], now: i64) -> Option<Vec<u8>> {
    let format = CString::new(format).ok()?;
    let parts = broken_down(now)?;
    let mut text = [0_u8; 4096];
    // SAFETY: `text` has the length given, `format` ends with NUL, and `parts` was filled in by localtime_r.
    let length = unsafe {
        libc::strftime(text.as_mut_ptr().cast(), text.len(), format.as_ptr(), &raw const parts)
    };
    (length > 0).then(|| text[..length].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_by_its_format() {
        assert_eq!(local_time(b"x%%y").as_deref(), Some(&b"x%y"[..]));
        assert_eq!(local_time(b"%Y").map(|year| year.len()), Some(4));
        assert_eq!(local_time(b""), None);
    }

    #[test]
    fn what_is_remembered_is_what_is_so() {
        for seconds in [-1, 0, 899, 900, 1_700_000_000, 1_711_846_799, 1_711_846_800, i64::MIN] {
            assert_eq!(offset_near_s(seconds), offset_s(seconds), "{seconds}");
            assert_eq!(offset_near_s(seconds), offset_s(seconds), "{seconds}");
        }
    }
}
