//! The filter language: what filters mean, how mistakes are shown, and that nothing typed makes it panic.

use fdscope_render::column::{Class, Column, Columns, Needs, Value, Vocabulary};
use fdscope_render::filter::{AddressPattern, Expr, Op, Operand, Pattern, parse};
use proptest::collection::vec;
use proptest::prelude::*;

/// A row with a value of each class.
#[derive(Clone, Debug, Default)]
struct Row {
    pid: Option<u64>,
    name: &'static [u8],
    kind: Option<&'static str>,
    size: Option<u64>,
    idle_ns: Option<u64>,
    deleted: bool,
    peer: Option<std::net::SocketAddr>,
    ports: Vec<u64>,
}

const KINDS: &[&str] = &["file", "socket", "pipe", "both"];
const STATES: &[&str] = &["established", "close-wait", "listen", "both"];

fn among(words: &'static [&'static str], word: &str) -> Option<&'static str> {
    words.iter().copied().find(|known| known.eq_ignore_ascii_case(word))
}

static KIND: Vocabulary = Vocabulary { all: || KINDS.to_vec(), find: |word| among(KINDS, word) };
static STATE: Vocabulary = Vocabulary { all: || STATES.to_vec(), find: |word| among(STATES, word) };

const NET: Needs = Needs(1);

const COLUMNS: Columns<Row> = Columns {
    all: &[
        Column::new("pid", "PID", Class::Number, "", |row: &Row| {
            Value::known(row.pid, Value::Number)
        }),
        Column::new("name", "NAME", Class::Text, "", |row: &Row| Value::text(row.name)),
        Column::new("kind", "KIND", Class::Word(&KIND), "", |row: &Row| {
            Value::known(row.kind, Value::Word)
        })
        .aliases(&["type"]),
        Column::new("state", "STATE", Class::Word(&STATE), "", |_| Value::Missing).needs(NET),
        Column::new("size", "SIZE", Class::Size, "", |row: &Row| {
            Value::known(row.size, Value::Size)
        }),
        Column::new("idle", "IDLE", Class::Duration, "", |row: &Row| {
            Value::known(row.idle_ns, Value::Duration)
        }),
        Column::new("deleted", "DELETED", Class::Flag, "", |row: &Row| Value::Flag(row.deleted)),
        Column::new("peer", "PEER", Class::Address, "", |row: &Row| {
            Value::known(row.peer, Value::Address)
        })
        .needs(NET),
        Column::new("port", "PORT", Class::Number, "", |row: &Row| {
            Value::List(row.ports.iter().map(|port| Value::Number(*port)).collect())
        }),
    ],
    absent: &[("age", "the kernel does not keep when a descriptor was opened")],
};

fn row() -> Row {
    Row {
        pid: Some(812),
        name: b"/var/log/app.log",
        kind: Some("file"),
        size: Some(20 << 20),
        idle_ns: Some(600_000_000_000),
        deleted: true,
        peer: Some("10.0.0.7:443".parse().expect("an address")),
        ports: vec![41_000, 443],
    }
}

fn understood(text: &str) -> Expr<Row> {
    parse(COLUMNS, text).unwrap_or_else(|mistake| panic!("{mistake}"))
}

#[test]
fn filters_mean_what_they_say() {
    let check = |text: &str, expected| {
        assert_eq!(understood(text).matches(&row()), expected, "{text}");
    };
    check("pid = 812", true);
    check("pid 813", false);
    check("PID == 812 AND kind = FILE", true);
    check("type file", true);
    check("kind != socket", true);
    check("kind in (pipe, socket)", false);
    check("kind not in (pipe, socket)", true);
    check("size > 10M and size <= 20MiB", true);
    check("size >= 21M", false);
    check("idle > 9m", true);
    check("idle < 10m", false);
    check("deleted", true);
    check("not deleted", false);
    check("deleted = no", false);
    check("!deleted || pid 812", true);
    check("name = /var/log/app.log", true);
    check("name ~ \"\\.log$\"", true);
    check("name ~ ^app", false);
    check("name !~ ^app", true);
    check("peer ~ \"10.0.\"", true);
    check("peer = 10.0.0.7", true);
    check("peer :443", true);
    check("peer in (10.1.0.0/16, 10.0.0.0/24)", true);
    check("port 443", true);
    check("port = 41000 and port = 443", true);
    check("port != 443", false);
    check("port < 1024", true);
    check("pid 1 or pid 812 and not deleted", false);
    check("(pid 1 or pid 812) and deleted", true);
    check("socket or file", true);
    check("peer", true);
    check("state", false);
    check("state != listen", true);
    check("state = ESTABLISHED", false);
}

#[test]
fn what_has_no_value_fits_no_comparison_but_every_negated_one() {
    let check = |text: &str, expected| {
        assert_eq!(understood(text).matches(&Row::default()), expected, "{text}");
    };
    check("size < 10M", false);
    check("not size < 10M", true);
    check("size = 0", false);
    check("size != 0", true);
    check("name = \"\"", true);
    check("name ~ x", false);
    check("peer", false);
    check("port", false);
}

#[test]
fn names_are_compared_as_bytes_and_typed_as_printed() {
    let row = Row { name: b"/tmp/a\xff\x1b b\\", ..Row::default() };
    let check = |text: &str| assert!(understood(text).matches(&row), "{text}");
    check(r#"name = "/tmp/a\xff\x1b b\\""#);
    check(r#"name ~ "\xff""#);
    check(r#"name ~ '\\$'"#);
    check(r#"name = '/tmp/a\xff\x1b b\\'"#);
}

#[test]
fn what_a_filter_needs_is_known() {
    assert_eq!(understood("pid 1 or not (deleted and peer)").needs(), NET);
    assert_eq!(understood("pid 1").needs(), Needs::NONE);
}

#[test]
fn mistakes_are_shown_at_their_place_with_what_is_right() {
    let check = |text: &str, expected: &str| {
        let mistake = parse(COLUMNS, text).expect_err(text);
        assert_eq!(mistake.to_string(), expected);
    };
    check(
        "kind = socket and pear ~ \"10.0.\"",
        "there is no column pear\n  kind = socket and pear ~ \"10.0.\"\n                    ^^^^\n  \
         did you mean peer?",
    );
    check(
        "kind = sokcet",
        "there is no kind sokcet\n  kind = sokcet\n         ^^^^^^\n  did you mean socket?",
    );
    check(
        "kind = x",
        "there is no kind x\n  kind = x\n         ^\n  one of file, socket, pipe, both",
    );
    check(
        "close_wait",
        "there is no column close_wait\n  close_wait\n  ^^^^^^^^^^\n  did you mean close-wait?",
    );
    check(
        "name < 3",
        "name is text: < does not apply\n  name < 3\n       ^\n  use = != ~ !~ or in",
    );
    check(
        "pid ~ 3",
        "pid is a number: ~ does not apply\n  pid ~ 3\n      ^\n  use = != < <= > >= or in",
    );
    check(
        "pid > 10M",
        "pid is a number without unit\n  pid > 10M\n        ^^^\n  for example: 812",
    );
    check(
        "size > 10s",
        "size is a size in bytes\n  size > 10s\n         ^^^\n  for example: 4096, 10K, 1.5M, 2G",
    );
    check(
        "idle > 10M",
        "idle is a time\n  idle > 10M\n         ^^^\n  for example: 500ms, 10s, 5m, 2h, 1d",
    );
    check(
        "age > 10m",
        "there is no column age\n  age > 10m\n  ^^^\n  the kernel does not keep when a descriptor was opened",
    );
    check(
        "deleted > 3",
        "deleted is yes or no: > does not apply\n  deleted > 3\n          ^\n  write deleted, or not deleted",
    );
    check(
        "both",
        "both is a word of the columns kind and state\n  both\n  ^^^^\n  write kind = both, or state = both",
    );
    check(
        "name ~ \"a(\"",
        "this is no regular expression: unclosed group\n  name ~ \"a(\"\n         ^^^^\n  \
           a backslash before a sign takes its meaning away: \\( \\.",
    );
}

#[test]
fn what_is_missing_is_said_where_it_is_missing() {
    let check = |text: &str, what: &str, at: usize| {
        let mistake = parse(COLUMNS, text).expect_err(text);
        assert_eq!((mistake.what.as_str(), mistake.at.start), (what, at), "{text}");
    };
    check("", "the filter is empty", 0);
    check("pid =", "a value is missing here", 5);
    check("pid = 1 and", "a comparison is missing here", 11);
    check("(pid = 1", "a closing bracket is missing here", 8);
    check("pid = 1)", "this bracket was not opened", 7);
    check("pid = 1 kind = file", "and, or, or the end is missing before this", 8);
    check("deleted socket", "and, or, or the end is missing before this", 8);
    check("= 3", "a column's name is missing before this", 0);
    check("\"x\" = 3", "a value needs a column before it", 0);
    check("pid in 3", "in needs a list in brackets", 7);
    check("pid in (3", "a comma or a closing bracket is missing here", 9);
    check("pid = (3)", "this is no value", 6);
    check(&"(".repeat(1_000), "more than 60 brackets or nots in each other", 60);
    check(&"not ".repeat(1_000), "more than 60 brackets or nots in each other", 240);
}

fn operand(column: &'static Column<Row>) -> BoxedStrategy<Operand> {
    let address = prop_oneof![
        any::<std::net::SocketAddrV4>().prop_map(|a| AddressPattern::Whole(a.into())),
        any::<std::net::Ipv6Addr>().prop_map(|a| AddressPattern::Host(a.into())),
        any::<u16>().prop_map(AddressPattern::Port),
        (any::<std::net::Ipv4Addr>(), 0u8..=32)
            .prop_map(|(a, bits)| AddressPattern::Network(a.into(), bits)),
        "/[ -~]{0,9}".prop_map(|text| AddressPattern::Text(text.into_bytes())),
    ];
    match column.class {
        Class::Text => vec(any::<u8>(), 0..9).prop_map(Operand::Text).boxed(),
        Class::Word(words) => {
            proptest::sample::select((words.all)()).prop_map(Operand::Word).boxed()
        }
        Class::Number => any::<u64>().prop_map(Operand::Number).boxed(),
        Class::Size => any::<u64>().prop_map(Operand::Size).boxed(),
        Class::Duration => any::<u64>().prop_map(Operand::Duration).boxed(),
        Class::Flag => any::<bool>().prop_map(Operand::Flag).boxed(),
        Class::Address => address.prop_map(Operand::Address).boxed(),
    }
}

fn comparison() -> impl Strategy<Value = Expr<Row>> {
    proptest::sample::select(COLUMNS.all.iter().collect::<Vec<_>>()).prop_flat_map(|column| {
        let mut ops = vec![Op::Equal, Op::NotEqual];
        if column.class.is_measured() {
            ops.extend([Op::Below, Op::AtMost, Op::Above, Op::AtLeast]);
        }
        let one = (proptest::sample::select(ops), operand(column))
            .prop_map(move |(op, operand)| Expr::Compare(column, op, vec![operand]));
        let list = (any::<bool>(), vec(operand(column), 1..4)).prop_map(move |(is, operands)| {
            Expr::Compare(column, if is { Op::In } else { Op::NotIn }, operands)
        });
        let pattern =
            "[a-z.*?$^\"' ]{1,6}".prop_filter_map("a pattern", |source| Pattern::new(&source).ok());
        let matches = (any::<bool>(), pattern).prop_map(move |(is, pattern)| match column.class {
            Class::Text | Class::Word(_) | Class::Address => {
                let op = if is { Op::Match } else { Op::NotMatch };
                Expr::Compare(column, op, vec![Operand::Pattern(pattern)])
            }
            _ => Expr::Has(column),
        });
        prop_oneof![one, list, matches, Just(()).prop_map(move |()| Expr::Has(column))]
    })
}

fn expr() -> impl Strategy<Value = Expr<Row>> {
    comparison().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(Expr::All),
            vec(inner.clone(), 2..4).prop_map(Expr::Any),
            inner.prop_map(|part| Expr::Not(Box::new(part))),
        ]
    })
}

proptest! {
    #[test]
    fn a_filter_written_out_reads_the_same(expr in expr()) {
        let text = expr.to_string();
        let again = parse(COLUMNS, &text);
        prop_assert_eq!(again.as_ref(), Ok(&expr), "{}", text);
        prop_assert_eq!(again.expect("read").matches(&row()), expr.matches(&row()));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..80)) {
        harmless(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn what_is_quoted_in_a_mistake_is_escaped(text in "['\"(=~a-z\0\x1b\u{9b} ]{0,6}") {
        harmless(&text);
    }

    #[test]
    fn no_words_make_it_panic(words in vec(proptest::sample::select(WORDS), 0..30), gap in " ?") {
        harmless(&words.join(&gap));
    }
}

const WORDS: &[&str] = &[
    "kind",
    "pid",
    "name",
    "size",
    "idle",
    "deleted",
    "peer",
    "port",
    "state",
    "socket",
    "both",
    "and",
    "or",
    "not",
    "in",
    "(",
    ")",
    ",",
    "=",
    "!=",
    "~",
    "!~",
    "<",
    ">=",
    "!",
    "&&",
    "||",
    "\"a\\",
    "\"",
    "'b'",
    "10M",
    "5s",
    "0x1f",
    "10.0.0.0/8",
    "[::1]:80",
    ":443",
    "\u{202e}",
    "日",
    "a(b",
    "\\xff",
    ".*",
    "99999999999999999999",
];

/// A mistake is told in at most four lines, its caret within the text, with nothing that harms a terminal.
fn harmless(text: &str) {
    let Err(mistake) = parse(COLUMNS, text) else { return };
    assert!(mistake.at.end <= text.len().max(mistake.at.start));
    let told = mistake.to_string();
    assert!((3..=4).contains(&told.lines().count()), "{told}");
    assert_eq!(told.chars().find(|c| c.is_control() && *c != '\n'), None, "{told:?}");
}
