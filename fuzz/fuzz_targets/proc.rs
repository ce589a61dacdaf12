//! Every parser of /proc, on the same bytes: a process names itself, its files and its threads as it likes.
#![no_main]

use fdscope_proc::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = parse::parse_stat(bytes);
    let _ = parse::parse_status(bytes);
    let _ = parse::parse_limits(bytes);
    let _ = parse::parse_file_nr(bytes);
    let _ = parse::parse_loadavg_tasks(bytes);
    let _ = parse::parse_link(bytes).inode();
    let _ = parse::parse_fdinfo(bytes).cloexec();
    let _ = parse::parse_timers(bytes);
    let _ = parse::parse_cgroup(bytes);
    let _ = parse::script_of(bytes, &parse::parse_cmdline(bytes));
    parse::parse_maps(bytes, |map| {
        let _ = map.size();
    });
    parse::parse_mountinfo(bytes, drop);
    let _ = fdscope_proc::net::parse_every_way(bytes);
    for table in parse::Table::ALL {
        for line in bytes.split(|&byte| byte == b'\n') {
            let _ = parse::parse_endpoint(table, line).map(|endpoint| endpoint.name());
        }
    }
});
