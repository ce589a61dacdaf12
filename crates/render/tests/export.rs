//! Every form of a report, read by who it is made for: pprof, XML and JSON readers, and what schemas demand.

mod made;

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Stdio};

use boon::{Compiler, Schemas};
use fdscope_render::export::html::{Contents, Course, CourseLine, HandleRow, data, page};
use fdscope_render::export::{Export, export};
use serde_json::{Value, json};

fn text(report: &fdscope_model::verdict::Report, form: Export) -> String {
    String::from_utf8(export(report, form)).expect("UTF-8")
}

/// Runs a program on `bytes`; `None`, and a word, where it is not here.
fn read_by(program: &str, arguments: &[&str], bytes: &[u8]) -> Option<String> {
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        println!("skipped: needs {program}");
        return None;
    };
    child.stdin.take().expect("piped").write_all(bytes).expect("it reads");
    let output = child.wait_with_output().expect("a child of ours");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}: {said}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn go_tool_pprof_reads_the_profile() {
    let report = made::leak_with_stack();
    let live: u64 = report.verdicts.iter().map(|verdict| verdict.live).sum();
    let profile = std::env::temp_dir().join(format!("fdscope-{}.pprof", std::process::id()));
    std::fs::write(&profile, export(&report, Export::Pprof)).expect("room");
    let path = profile.to_str().expect("UTF-8");
    let told = read_by("go", &["tool", "pprof", "-top", "-lines", path], b"");
    std::fs::remove_file(&profile).expect("it was made");
    let Some(told) = told else { return };
    assert!(told.contains("Type: handles"), "{told}");
    assert!(told.contains(&format!("Total samples = {live}")), "{told}");
    assert!(told.contains("send_file") && told.contains("send.c"), "{told}");
}

#[test]
fn xml_readers_read_junit() {
    const READ: &str = "import sys, xml.etree.ElementTree as e\n\
        s = e.fromstring(sys.stdin.buffer.read()).find('testsuite')\n\
        c = s.findall('testcase')\n\
        assert len(c) == int(s.get('tests')), 'tests'\n\
        assert len(s.findall('testcase/failure')) == int(s.get('failures')), 'failures'\n\
        print(s.get('failures'))";
    for (name, report) in made::all() {
        let xml = export(&report, Export::Junit);
        let Some(failures) = read_by("python3", &["-c", READ], &xml) else { return };
        let bad = report.verdicts.iter().filter(|v| v.level >= fdscope_model::Level::Suspect);
        assert_eq!(failures.trim(), bad.count().to_string(), "{name}");
    }
}

/// What SARIF 2.1.0's schema demands of what is written (sections 3.13, 3.19, 3.27 to 3.30 of the standard).
#[test]
fn sarif_has_what_its_standard_demands() {
    for (name, report) in made::all() {
        let sarif: Value = serde_json::from_str(&text(&report, Export::Sarif)).expect("JSON");
        assert_eq!(sarif["version"], "2.1.0", "{name}");
        let runs = sarif["runs"].as_array().expect("runs");
        assert_eq!(runs.len(), 1, "{name}");
        let rules = runs[0]["tool"]["driver"]["rules"].as_array().expect("rules");
        assert_eq!(runs[0]["tool"]["driver"]["name"], "fdscope", "{name}");
        for result in runs[0]["results"].as_array().expect("results") {
            assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]), "{name}");
            assert!(["error", "warning"].map(Value::from).contains(&result["level"]), "{name}");
            assert!(result["message"]["text"].as_str().is_some_and(|t| !t.is_empty()), "{name}");
            for location in result["locations"].as_array().into_iter().flatten() {
                let physical = &location["physicalLocation"];
                let uri = physical["artifactLocation"]["uri"].as_str().expect("a URI");
                let plain = |c: char| c.is_ascii_graphic() && !"<>\"{}|\\^`".contains(c);
                assert!(!uri.is_empty() && uri.chars().all(plain), "{name}: {uri}");
                if let Some(region) = physical.get("region") {
                    assert!(region["startLine"].as_u64().is_some_and(|line| line > 0), "{name}");
                }
            }
        }
    }
}

/// What speedscope's schema demands of a sampled profile.
#[test]
fn speedscope_has_what_its_schema_demands() {
    for (name, report) in made::all() {
        let file: Value = serde_json::from_str(&text(&report, Export::Speedscope)).expect("JSON");
        assert_eq!(file["$schema"], "https://www.speedscope.app/file-format-schema.json");
        let frames = file["shared"]["frames"].as_array().expect("frames");
        assert!(frames.iter().all(|frame| frame["name"].is_string()), "{name}");
        let profile = &file["profiles"][0];
        assert_eq!((&profile["type"], &profile["unit"]), (&json!("sampled"), &json!("none")));
        let [samples, weights] =
            ["samples", "weights"].map(|key| profile[key].as_array().expect("a list"));
        assert_eq!(samples.len(), weights.len(), "{name}");
        let known = |index: &Value| index.as_u64().is_some_and(|n| n < frames.len() as u64);
        let stacks = samples.iter().map(|stack| stack.as_array().expect("a stack"));
        assert!(stacks.into_iter().all(|stack| stack.iter().all(known)), "{name}");
        let whole: u64 = weights.iter().filter_map(Value::as_u64).sum();
        assert_eq!(profile["endValue"], whole, "{name}");
    }
}

/// As flame graph tools read it: the last space parts the count, `;` parts frames; all forms count the same.
#[test]
fn folded_stacks_count_what_is_alive() {
    for (name, report) in made::all() {
        let mut kinds: HashMap<String, u64> = HashMap::new();
        for line in text(&report, Export::Folded).lines() {
            let (stack, count) = line.rsplit_once(' ').expect("a count");
            let kind = stack.rsplit(';').next().expect("a frame");
            *kinds.entry(kind.to_owned()).or_default() += count.parse::<u64>().expect("a number");
        }
        let mut alive: HashMap<String, u64> = HashMap::new();
        for verdict in report.verdicts.iter().filter(|verdict| verdict.live > 0) {
            *alive.entry(verdict.kind.word().to_owned()).or_default() += verdict.live;
        }
        assert_eq!(kinds, alive, "{name}");
    }
}

/// Names reach sentences, too, and some programs copy those to a terminal.
#[test]
fn no_form_sends_terminals_orders() {
    let report = made::hostile_names();
    for form in [Export::Markdown, Export::Folded, Export::Junit] {
        let bad = ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}'];
        assert!(!text(&report, form).contains(bad), "{form:?}");
    }
    for form in [Export::Sarif, Export::Speedscope] {
        let value: Value = serde_json::from_str(&text(&report, form)).expect("JSON");
        assert!(!value.to_string().contains("\\u001b"), "{form:?}");
        assert!(!value.to_string().contains('\u{202e}'), "{form:?}");
    }
}

#[test]
fn markdown_has_no_markup_from_names() {
    let report = made::hostile_names();
    for line in text(&report, Export::Markdown).lines().filter(|line| !line.starts_with("    ")) {
        assert!(!line.contains('<'), "{line}");
    }
    let told = text(&made::leak_with_stack(), Export::Markdown);
    assert!(told.starts_with("# fdscope: ") && told.contains("## LEAK: "), "{told}");
    assert!(told.contains("| leak |"), "{told}");
}

/// Hostile names stay text in a page, and all that a page holds fits its schema.
#[test]
fn a_page_holds_what_its_schema_says() {
    let schema = include_str!("../../../docs/schema/page-1.schema.json");
    let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("mem:///page", schema).expect("the schema is a resource");
    let index = compiler.compile("mem:///page", &mut schemas).expect("the schema compiles");
    let handle = HandleRow {
        pid: 7,
        comm: "</script>".to_owned(),
        fd: 3,
        kind: "file",
        name: String::new(),
        site: String::new(),
        age_ns: None,
    };
    let line = CourseLine { of: "handles", name: "file".to_owned(), values: vec![1, 2] };
    let course = Course { at_ns: vec![0, 5], lines: vec![line] };
    for (name, report) in made::all() {
        let contents =
            Contents { report: &report, handles: std::slice::from_ref(&handle), course: &course };
        let object: Value = serde_json::from_str(&data(contents)).expect("JSON");
        if let Err(error) = schemas.validate(&object, index) {
            panic!("{name}: {error}");
        }
        assert_eq!(page(contents).matches("</script>").count(), 4, "{name}: data, and code");
    }
}
