//! The JSON written is the JSON promised: docs/schema/leak-1.schema.json against real output.

mod made;

use boon::{Compiler, SchemaIndex, Schemas};
use fdscope_model::HandleKind;
use fdscope_model::verdict::{Level, Report};
use fdscope_render::json;
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../../../docs/schema/leak-1.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

fn output(report: &Report) -> Value {
    let text = json::report(report);
    assert_eq!(text.matches('\n').count(), 1, "one object, one line");
    serde_json::from_str(&text).expect("the writer writes JSON")
}

fn compile(schema: Value) -> (Schemas, SchemaIndex) {
    compile_part(schema, "")
}

/// The part of the schema at a JSON pointer.
fn compile_part(schema: Value, pointer: &str) -> (Schemas, SchemaIndex) {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("mem:///leak", schema).expect("the schema is a resource");
    let place = format!("mem:///leak{pointer}");
    let index = compiler.compile(&place, &mut schemas).expect("the schema compiles");
    (schemas, index)
}

/// The schema as a closed world: no key may be written that it does not name.
fn strict(mut schema: Value) -> Value {
    fn close(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.values_mut().for_each(close);
                if map.contains_key("properties") && map.get("type") == Some(&json!("object")) {
                    map.insert("additionalProperties".to_string(), json!(false));
                }
            }
            Value::Array(values) => values.iter_mut().for_each(close),
            _ => {}
        }
    }
    close(&mut schema);
    schema
}

#[test]
fn every_report_fits_and_has_no_key_unnamed() {
    let (schemas, index) = compile(strict(schema()));
    for (name, report) in made::all() {
        let output = output(&report);
        if let Err(error) = schemas.validate(&output, index) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn a_missing_or_mistyped_key_does_not_fit() {
    let (schemas, index) = compile(schema());
    let good = output(&made::leak_with_stack());
    let fits = |value: &Value| schemas.validate(value, index).is_ok();
    assert!(fits(&good));
    for pointer in
        ["/lost", "/verdicts/0/live", "/verdicts/0/site/frames/0/offset", "/processes/0/pid"]
    {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("the key is there") = json!("many");
        assert!(!fits(&bad), "{pointer} as a string");
        let mut bad = good.clone();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer has a slash");
        let parent = bad.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
        parent.remove(key).expect("the key is there");
        assert!(!fits(&bad), "{pointer} left out");
    }
    let mut later = good;
    later["verdicts"][0]["new_key"] = json!(1);
    assert!(fits(&later), "keys may be added within a version");
}

#[test]
fn the_words_of_the_schema_are_those_of_the_model() {
    let schema = schema();
    let words = |pointer: &str| {
        let list = schema.pointer(pointer).and_then(Value::as_array).expect("a list of words");
        let mut words: Vec<String> =
            list.iter().map(|word| word.as_str().expect("a word").to_string()).collect();
        words.sort();
        words
    };
    let mut kinds: Vec<&str> = HandleKind::all().map(HandleKind::word).collect();
    kinds.sort_unstable();
    assert_eq!(words("/$defs/kind/examples"), kinds);
    let mut levels = Level::ALL.map(Level::word);
    levels.sort_unstable();
    assert_eq!(words("/$defs/level/enum"), levels);
    assert_eq!(schema["properties"]["schema"]["const"], json::SCHEMA);
}

#[test]
fn the_verdict_in_the_documentation_fits() {
    let page = include_str!("../../../docs/json.md");
    let (_, rest) = page.split_once("```json\n").expect("the page shows a verdict");
    let (example, _) = rest.split_once("```").expect("the block ends");
    let example: Value = serde_json::from_str(example).expect("the example is JSON");
    let (schemas, index) = compile_part(strict(schema()), "#/$defs/verdict");
    if let Err(error) = schemas.validate(&example, index) {
        panic!("{error}");
    }
}
