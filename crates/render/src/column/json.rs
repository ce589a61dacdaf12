//! Cells as JSON: the object of a row, key by key.

use fdscope_model::name::escape;
use serde::Serialize;

use super::{Column, Value};

/// Appends `value` as JSON.
pub fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value)
        .expect("a vector takes every write, and every key is a string");
}

/// Appends the object of a row: the key and value of each column, in the order of `columns`.
pub fn write_object<R>(columns: &[&'static Column<R>], row: &R, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend(column.key.as_bytes());
        out.extend(b"\":");
        match column.json {
            Some(json) => json(row, out),
            None => write_value(&(column.get)(row), out),
        }
    }
    out.push(b'}');
}

/// Appends a value: what is missing as `null`, names escaped, sizes and times as integers.
pub fn write_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Missing => out.extend(b"null"),
        Value::Text(bytes) => write_text(bytes, out),
        Value::Phrase(text) => write_json(text, out),
        Value::Word(word) => write_json(word, out),
        Value::Number(number) | Value::Size(number) | Value::Duration(number) => {
            write_json(number, out);
        }
        Value::Flag(flag) => write_json(flag, out),
        Value::Address(address) => write_json(address, out),
        Value::List(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(value, out);
            }
            out.push(b']');
        }
    }
}

/// Nearly every name needs no escape of either sort.
fn write_text(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.iter().all(|b| matches!(b, b' '..=b'~') && *b != b'\\' && *b != b'"') {
        out.push(b'"');
        out.extend(bytes);
        out.push(b'"');
    } else {
        write_json(&escape(bytes), out);
    }
}
