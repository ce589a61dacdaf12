//! Every parser of /proc, on the same bytes: a process names itself, its files and its threads as it likes.
#![no_main]

use fdscope_proc::parse::{self, fields};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = parse::parse_stat(bytes);
    let _ = parse::parse_status(bytes);
    let _ = parse::parse_limits(bytes);
    let _ = parse::parse_file_nr(bytes);
    let _ = parse::parse_loadavg_tasks(bytes);
    let _ = parse::parse_link(bytes).inode();
    let _ = parse::parse_fdinfo(bytes).cloexec();
    let _ = parse::parse_lock(bytes);
    let _ = parse::parse_timers(bytes);
    let _ = parse::parse_cgroup(bytes);
    let _ = parse::script_of(bytes, &parse::parse_cmdline(bytes));
    parse::parse_maps(bytes, |map| {
        let _ = map.size();
    });
    parse::parse_mountinfo(bytes, drop);
    of_sections(bytes);
    of_threads(bytes);
    of_networks(bytes);
    let _ = fdscope_proc::net::parse_every_way(bytes);
    for table in parse::Table::ALL {
        for line in bytes.split(|&byte| byte == b'\n') {
            let _ = parse::parse_endpoint(table, line).map(|endpoint| endpoint.name());
        }
    }
});

/// What `fdscope proc` shows field by field.
fn of_sections(bytes: &[u8]) {
    let behind = fields::behind_comm(bytes);
    fields::parse_fields(behind, fields::STAT, |_, value| drop(value.to_vec()));
    fields::parse_fields(bytes, fields::STATM, |_, value| drop(value.to_vec()));
    fields::parse_pairs(bytes, |key, value| drop([key, value].concat()));
    fields::parse_all_limits(bytes, |name, values| drop([name, &values.concat()].concat()));
    parse::parse_passwd(bytes, |_, name| drop(name.to_vec()));
    let _ = parse::parse_single(bytes);
}

/// Files of a thread.
fn of_threads(bytes: &[u8]) {
    let _ = parse::parse_syscall(bytes);
    let _ = parse::parse_schedstat(bytes);
    let _ = parse::parse_wchan(bytes);
    let _ = parse::parse_kernel_stack(bytes);
    let _ = parse::parse_uptime(bytes);
}

/// Tables of sockets.
fn of_networks(bytes: &[u8]) {
    let _ = parse::parse_sockstat(bytes, b"TCP", b"inuse");
    let _ = parse::parse_netstat(bytes, b"TcpExt", b"ListenDrops");
    for line in bytes.split(|&byte| byte == b'\n') {
        let _ = parse::parse_inet_line(line, line.len() % 2 == 0);
        let _ = parse::parse_unix_line(line);
        let _ = parse::parse_netlink_line(line);
        let _ = parse::parse_packet_line(line);
        let _ = parse::parse_map(line).map(|map| map.size());
        let _ = parse::parse_fdinfo_line(line);
    }
}
