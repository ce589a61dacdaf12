//! The page and the JSON of `fdscope link` for links made by hand. `FDSCOPE_BLESS=1` rewrites the golden.

use std::path::Path;

use boon::{Compiler, Schemas};
use fdscope_model::link::{Counters, Link, LinkAddress, LinkReport, Lower, TunOwner};
use fdscope_model::{Blind, FdNumber, Pid};
use fdscope_render::text::links::links;
use fdscope_render::{Charset, ColorChoice, Form, json};
use serde_json::Value;

fn report() -> LinkReport {
    let address = |text: &str, prefix_length, peer| LinkAddress {
        address: text.parse().expect("an address"),
        prefix_length,
        scope: 0,
        peer,
    };
    let counters = Counters { rx_packets: 7, rx_bytes: 4096, rx_dropped: 3, ..Counters::default() };
    let eth0 = Link {
        index: 2,
        name: "eth0".into(),
        mtu: 1500,
        flags: 0x1_0041,
        state: 6,
        hardware: vec![2, 0, 0, 0, 0, 1],
        addresses: vec![address("192.0.2.2", 24, None), address("fd00::2", 64, None)],
        driver: Some("virtio_net".into()),
        counters,
        ..Link::default()
    };
    let tun0 = Link {
        index: 3,
        name: b"t\x1bn".as_slice().into(),
        mtu: 1400,
        max_mtu: Some(65_535),
        flags: 0x1_0051,
        kind: Some("tun".into()),
        addresses: vec![address("10.8.0.2", 32, Some([10, 8, 0, 1].into()))],
        lower: Some(Lower { index: 2, elsewhere: false }),
        owners: vec![TunOwner {
            pid: Pid(812),
            comm: "vpn".into(),
            fd: FdNumber(5),
            elsewhere: true,
        }],
        ..Link::default()
    };
    let port = Link { index: 4, name: "p".into(), master: Some(9), ..Link::default() };
    LinkReport {
        links: vec![eth0, tun0, port],
        notes: vec!["tun0 takes less than eth0".to_owned()],
        blind: vec![Blind { what: "a".to_owned(), why: "b".to_owned(), cure: None }],
    }
}

#[test]
fn the_page_is_as_it_was_read() {
    let form = Form { width: 160, color: ColorChoice::Never, charset: Charset::Utf8 };
    let found = links(&report(), form);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/links-160.txt");
    if std::env::var_os("FDSCOPE_BLESS").is_some() {
        std::fs::write(&path, &found).expect("the golden directory is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "found:\n{found}");
}

#[test]
fn the_json_is_as_promised() {
    const SCHEMA: &str = include_str!("../../../docs/schema/link-1.schema.json");
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    assert_eq!(schema["properties"]["schema"]["const"], json::links::SCHEMA);
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("mem:///link", schema).expect("the schema is a resource");
    let index = compiler.compile("mem:///link", &mut schemas).expect("the schema compiles");
    let text = json::links::links(&report(), "fdscope link", "Linux", 7);
    let mut object: Value = serde_json::from_str(&text).expect("the writer writes JSON");
    if let Err(error) = schemas.validate(&object, index) {
        panic!("{error}");
    }
    assert_eq!(object["links"][1]["name"], "t\\x1bn");
    object["links"][0]["mtu"] = Value::Null;
    assert!(schemas.validate(&object, index).is_err());
}
