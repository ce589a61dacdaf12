//! The local time zone: what the C library makes of TZ and /etc/localtime.

use std::mem::MaybeUninit;
use std::sync::Once;

unsafe extern "C" {
    /// tzset(3); libc declares it for other systems only.
    fn tzset();
}

static READ: Once = Once::new();

/// Seconds east of UTC that local clocks showed at a time (seconds since 1970). 0 if the C library cannot tell.
pub fn offset_s(seconds: i64) -> i64 {
    READ.call_once(|| {
        // SAFETY: tzset reads the environment, which this program never writes, and is called once.
        unsafe { tzset() }
    });
    let time: libc::time_t = seconds;
    let mut parts = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both addresses are those of locals; localtime_r writes the second and keeps neither.
    let answer = unsafe { libc::localtime_r(&raw const time, parts.as_mut_ptr()) };
    if answer.is_null() {
        return 0;
    }
    // SAFETY: localtime_r did not fail, so that it wrote every field.
    let parts = unsafe { parts.assume_init() };
    parts.tm_gmtoff
}
