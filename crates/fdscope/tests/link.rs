//! `fdscope link` against ip(8), in network namespaces of its own: the host's interfaces are never changed.

mod common;

use std::process::{Command, Output};

use common::is_root;
use serde_json::Value;

/// Runs a script in a new network namespace with `$F` for fdscope; `None` where that cannot be.
fn in_namespace(script: &str) -> Option<Output> {
    if !is_root("root, for a network namespace") {
        return None;
    }
    if Command::new("ip").arg("-V").output().is_err() {
        println!("skipped: needs ip");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-ec", script]).env("F", env!("CARGO_BIN_EXE_fdscope"));
    Some(command.output().expect("unshare is everywhere"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const PAIR: &str = "ip link set lo up; ip link add va type veth peer name vb; ip addr add 10.1.2.3/24 dev va; \
                    ip addr add fd00::1/64 dev va nodad; ip link set vb mtu 1400 up; ip link set va up;";

#[test]
fn links_are_those_of_ip() {
    let script = format!("{PAIR} $F link --json; ip -j -s addr");
    let Some(output) = in_namespace(&script) else { return };
    let said = text(&output.stdout);
    let (ours, theirs) = said.split_once('\n').expect("two lines");
    let ours: Value = serde_json::from_str(ours).expect("JSON of fdscope");
    let theirs: Value = serde_json::from_str(theirs).expect("JSON of ip");
    assert_eq!(ours["schema"], "fdscope/link/1");
    let (ours, theirs) =
        (ours["links"].as_array().expect("a list"), theirs.as_array().expect("a list"));
    assert_eq!(ours.len(), theirs.len());
    for (own, other) in ours.iter().zip(theirs) {
        assert_eq!((&own["index"], &own["name"]), (&other["ifindex"], &other["ifname"]));
        assert_eq!(own["mtu"], other["mtu"]);
        let count = |list: &Value| list.as_array().map(Vec::len);
        assert_eq!(count(&own["addresses"]), count(&other["addr_info"]), "{own} {other}");
        for address in other["addr_info"].as_array().expect("a list") {
            let same = |ours: &Value| {
                ours["address"] == address["local"] && ours["prefix_length"] == address["prefixlen"]
            };
            assert!(
                own["addresses"].as_array().expect("a list").iter().any(same),
                "{own} {address}"
            );
        }
    }
}

#[test]
fn an_mtu_is_set_within_the_range_of_the_driver() {
    let script = format!(
        "{PAIR} $F link set va mtu 1350; ip -o link show va; $F link set vb down; ip -o link show vb; \
         $F link set va mtu 70000 || echo code $?; $F link set vaa up || echo code $?"
    );
    let Some(output) = in_namespace(&script) else { return };
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(said.contains("mtu 1350"), "{said}{errors}");
    assert!(said.contains("vb@va: <BROADCAST,MULTICAST>"), "{said}{errors}");
    assert_eq!(said.matches("code 2").count(), 2, "{said}{errors}");
    assert!(errors.contains("va takes an MTU from 68 to 65535, not 70000"), "{errors}");
    assert!(errors.contains("did you mean va?") || errors.contains("did you mean vb?"), "{errors}");
}

#[test]
fn mtus_that_do_not_fit_and_tuns_without_owner_are_told() {
    let script = format!(
        "{PAIR} COLUMNS=120 $F link; ip tuntap add tun7 mode tun && COLUMNS=120 $F link tun7 || true"
    );
    let Some(output) = in_namespace(&script) else { return };
    let said = text(&output.stdout);
    assert!(said.contains("va sends packets of up to 1500 bytes to vb, which drops"), "{said}");
    if said.contains("tun7") {
        assert!(said.contains("tun7 is persistent"), "{said}");
    } else {
        println!("skipped: needs tun devices");
    }
}

#[test]
fn a_path_that_takes_less_is_told() {
    let script = format!(
        "{PAIR} ip route add 10.3.0.0/24 via 10.1.2.9 mtu 1300; ip route add 10.4.0.0/24 via 10.1.2.9; $F link --json"
    );
    let Some(output) = in_namespace(&script) else { return };
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    let report: Value = serde_json::from_str(said.trim()).unwrap_or_else(|_| panic!("{errors}"));
    let notes = report["notes"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let paths: Vec<&str> = notes.filter(|note| note.contains("the route to")).collect();
    assert_eq!(paths.len(), 1, "{report}");
    assert!(paths[0].starts_with("va takes 1500 bytes"), "{report}");
    assert!(paths[0].ends_with("the route to 10.3.0.0/24 via 10.1.2.9 allows 1300"), "{report}");
}

#[test]
fn offloads_are_those_of_ethtool_and_explain_large_packets() {
    // Of a pair, what one end sends goes whole to the other: nothing is cut, and the counters show it.
    let script = format!(
        "{PAIR} ip link set vb mtu 1500; $F link --json va; $F link va; ethtool -K va tso off gso off >/dev/null 2>&1 \
         && $F link --json va || echo none; ethtool -k va 2>/dev/null || true"
    );
    let Some(output) = in_namespace(&script) else { return };
    let said = text(&output.stdout);
    let mut lines = said.lines();
    let first: Value = serde_json::from_str(lines.next().expect("a line")).expect("JSON");
    let offloads = &first["links"][0]["offloads"];
    let all = ["tso", "gso", "gro", "lro", "rx_checksum", "tx_checksum"];
    assert!(all.iter().all(|key| offloads[key].is_boolean()), "{first}");
    // veth has all that the kernel can do by itself.
    assert_eq!((&offloads["tso"], &offloads["gso"]), (&true.into(), &true.into()), "{first}");
    assert!(said.contains("va: TSO is on") && said.contains("captures here show"), "{said}");
    if !said.contains("tcp-segmentation-offload:") {
        return println!("skipped: needs ethtool, to switch offloads");
    }
    let second = said.lines().filter(|line| line.starts_with('{')).nth(1).expect("a second object");
    let second: Value = serde_json::from_str(second).expect("JSON");
    assert_eq!(second["links"][0]["offloads"]["tso"], false, "{second}");
}

#[test]
fn without_privilege_the_sudo_line_is_told() {
    if !is_root("root, to become nobody") {
        return;
    }
    let copy = tempfile::Builder::new().prefix("fdscope").tempdir().expect("a folder");
    let program = copy.path().join("fdscope");
    fdscope_fixtures::copy_program(env!("CARGO_BIN_EXE_fdscope"), &program);
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(copy.path(), std::fs::Permissions::from_mode(0o755)).expect("mode");
    let mut command = Command::new("unshare");
    command.args(["-n", "setpriv", "--reuid", "65534", "--clear-groups"]).arg(&program);
    let output = command.args(["link", "set", "lo", "mtu", "60000"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(77), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("sudo fdscope link set lo mtu 60000"));
}
