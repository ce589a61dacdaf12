//! The filter language, lists of columns and sort orders: any text is a filter or a mistake with a place in it.
#![no_main]

use std::rc::Rc;

use fdscope_model::{Association, Entry, FdNumber, HandleKind, Name, ProcessId};
use fdscope_render::column::{choose, sort_order};
use fdscope_render::filter::parse;
use fdscope_render::handles::{HANDLES, HandleRow, Holder, initial};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8], u8)| {
    let (text, name, kind) = input;
    match parse(HANDLES, text) {
        Ok(filter) => {
            let _ = filter.matches(&row(name, kind));
        }
        Err(mistake) => assert!(!mistake.to_string().is_empty()),
    }
    let _ = choose(HANDLES, &initial(), text).map_err(|mistake| mistake.to_string());
    let _ = sort_order(HANDLES, text).map_err(|mistake| mistake.to_string());
});

fn row(name: &[u8], kind: u8) -> HandleRow {
    let mut entry = Entry::blank(ProcessId::default(), Association::Fd(FdNumber(kind.into())));
    entry.handle.name = Name::from(name);
    entry.handle.kind = HandleKind::all().nth(kind.into()).unwrap_or(HandleKind::File);
    HandleRow { holder: Rc::new(Holder::default()), entry, pattern: None }
}
