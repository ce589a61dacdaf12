//! The whole of it on made inventories: tables as goldens, and every option by what it selects.

use fdscope_model::{Name, Tid};

use crate::made::{server, shell};
use crate::testing::Village;
use crate::{Charset, Endpoints, Listing, Options};

fn options(arguments: &str) -> Options {
    let words: Vec<Vec<u8>> =
        arguments.split_whitespace().map(|word| word.as_bytes().to_vec()).collect();
    match Options::read("lsof", &words, &Village) {
        Ok((options, _)) => options,
        Err(ended) => panic!("{arguments}: {}", String::from_utf8_lossy(&ended.text)),
    }
}

/// What is printed, and how it ends.
fn run(arguments: &str) -> (String, i32) {
    let options = options(arguments);
    let mut listing = Listing::new(&options, &Village, Charset::Utf8);
    for inventory in [server(), shell()] {
        if options.endpoints() == Endpoints::Listed {
            listing.note_ends(&inventory);
        }
    }
    for inventory in [server(), shell()] {
        if listing.wants(&inventory.process, inventory.group) {
            listing.add(&inventory, None);
        }
        if options.tasks() {
            listing.add(&inventory, Some((Tid(813), Some(&Name::from("pool")))));
        }
    }
    listing.end_round();
    let code = listing.finish();
    (String::from_utf8(listing.take()).expect("printed text is UTF-8"), code)
}

fn check_golden(arguments: &str, expected: &str) {
    let (got, _) = run(arguments);
    assert_eq!(got, expected, "lsof {arguments}\n{got}");
}

/// The descriptors listed: `812:3 812:cwd 900:NOFD`, with numbers from 7 to 18 as one word if all are there.
fn selected(arguments: &str) -> (String, i32) {
    let (got, code) = run(&format!("-Fpf {arguments}"));
    let mut pid = "";
    let mut words = Vec::new();
    for line in got.lines() {
        match line.split_at_checked(1) {
            Some(("p", number)) => pid = number,
            Some(("f", fd)) => words.push(format!("{pid}:{fd}")),
            _ => {}
        }
    }
    (words.join(" ").replace("812:", "").replace("7 8 9 10 11 12 13 14 15 16 17 18", "7-18"), code)
}

const FILES: &str = "cwd rtd txt DEL 0 3 4 5 6 7-18 12019";

#[test]
fn the_table_is_lsofs() {
    check_golden("-nP -p 812", include_str!("golden/table.txt"));
    check_golden("-p 812 -a -d 7-12", include_str!("golden/named.txt"));
    check_golden("-nP -R -g +L +fg -o -l -a -d 0-6,cwd", include_str!("golden/columns.txt"));
    check_golden("-nP", include_str!("golden/all.txt"));
    check_golden("-nPw -p 900", "");
}

#[test]
fn fields_and_json_are_lsofs() {
    check_golden("-nP -F -a -p 812 -d cwd,3,4,8,12019", include_str!("golden/fields.txt"));
    check_golden(
        "-nP -Fpcfn0 -a -p 812 -d 3,8",
        "p812\0cnginx: worker\0\nf3\0n/village/well\0\nf8\0n10.0.0.7:443->10.0.0.9:5000\0\n",
    );
    check_golden("-nP -J -a -d 3,8,14,12019", include_str!("golden/nested.json"));
    check_golden(
        "-nP -j -Fpfn -a -d 3,8",
        "{\"pid\":812,\"fd\":\"3\",\"name\":\"/village/well\"}\n{\"pid\":812,\"fd\":\"8\",\"name\":\"10.0.0.7:443->10.0.0.9:5000\"}\n",
    );
    check_golden("-J -p 9", "{\"lsof_version\":\"4.99.7\",\"processes\":[]}\n");
    check_golden("-t -i", "812\n");
    check_golden("-t", "812\n");
}

#[test]
fn every_option_selects_what_it_says() {
    let check = |arguments: &str, expected: &str, code: i32| {
        assert_eq!(selected(arguments), (expected.to_owned(), code), "lsof {arguments}");
    };
    let all = format!("{FILES} 900:cwd 900:rtd 900:txt 900:NOFD");
    check("", &all, 0);
    check("-p 812", FILES, 0);
    check("-p 812,7", FILES, 1);
    check("-p ^812", "900:cwd 900:rtd 900:txt 900:NOFD", 0);
    check("-g 800", FILES, 0);
    check("-g ^800", "900:cwd 900:rtd 900:txt 900:NOFD", 0);
    check("-u smith", FILES, 0);
    check("-u ^smith", "900:cwd 900:rtd 900:txt 900:NOFD", 0);
    check("-u 0,smith", &all, 0);
    check("-c nginx", FILES, 0);
    check("-c x", "", 1);
    // lsof looks for those left out, too.
    check("-c ^nginx", "900:cwd 900:rtd 900:txt 900:NOFD", 1);
    check("-c /^SH$/i", "900:cwd 900:rtd 900:txt 900:NOFD", 0);
    check("-d 3-5", "3 4 5", 0);
    check("-d ^fd,^cwd", "rtd txt DEL 900:rtd 900:txt 900:NOFD", 0);
    check("-d txt,0", "txt 0 900:txt", 0);
    check("-i", "7 8 9 10 11 12", 0);
    check("-i4", "7 8 11 12", 0);
    check("-i6", "9 10", 0);
    check("-iTCP", "7 8 9 10", 0);
    check("-i udp:53", "11 12", 0);
    check("-i :80", "7", 0);
    check("-i :http,https", "7 8 9 10", 0);
    check("-i @10.0.0.9", "8 10", 0);
    check("-i @10.0.0.9:6000", "10", 0);
    check("-i @[::1]:5001", "9", 0);
    check("-i :1-100 -i :5000", "7 8 11 12", 0);
    check("-i :9999", "", 1);
    check("-i -sTCP:LISTEN", "7", 0);
    check("-iTCP -sTCP:^LISTEN", "8 9 10", 0);
    check("-iTCP -sTCP:CLOSE_WAIT,LISTEN", "7 9", 0);
    check("-U", "14 15", 0);
    check("+L1", "4", 0);
    check("-N", "", 1);
    check("/village/well", "3", 0);
    check(
        "/village",
        FILES.replace(" 0 3", " 3").replace(" DEL", "").replace(" 5 6 7-18", "").as_str(),
        0,
    );
    check("-f -- /village", "cwd", 0);
    check("/village/sock", "14", 0);
    check("+d /village", "cwd 3 14", 1);
    check("+D /village", "cwd txt 3 14", 1);
    check("-a -p 812 -i", "7 8 9 10 11 12", 0);
    check("-a -c nginx -u smith -d 3", "3", 0);
    check("-a -c nginx -u root", "", 1);
    check("-a -p 812 -U -i", "", 0);
    check("-p 812 -c sh", &all, 0);
    check("-X -a -p 812 -d 8,17", "8 17", 0);
    check("-w -b -O -S 2 -M -p 812", FILES, 0);
}

#[test]
fn what_was_not_found_is_told_if_asked() {
    let (out, code) =
        run("-V -p 9 -c nosuch -c /nosuch/ -i :9 -u 77 -g 5 -N -s tcp:CLOSING /village/house");
    assert_eq!(code, 1);
    assert_eq!(out, include_str!("golden/missing.txt"));
}

#[test]
fn threads_are_listed_when_asked_for_and_only_then() {
    let (out, _) = run("-nP -K -a -p 812 -d 3");
    assert_eq!(out, include_str!("golden/tasks.txt"));
    assert_eq!(run("-nP -K i -p 812").0, run("-nP -p 812").0);
}

#[test]
fn the_other_ends_are_named() {
    let (out, _) = run("-nP -E -a -p 812 -d 5");
    assert!(out.ends_with("77 pipe 900,sh,0r\n"), "{out}");
}

#[test]
fn rounds_are_marked() {
    let mark = |arguments: &str| {
        let options = options(arguments);
        let mut listing = Listing::new(&options, &Village, Charset::Ascii);
        listing.mark();
        String::from_utf8(listing.take()).expect("text")
    };
    assert_eq!(mark("-r"), "=======\n");
    assert_eq!(mark("-r 2m%H"), "%H\n");
    assert_eq!(mark("-r 2 -F"), "m\n");
    assert_eq!(mark("-r2m%H -F0"), "m%H\0\n");
    let options = options("+r 3c5");
    let repeat = options.repeat().expect("given");
    assert_eq!((repeat.interval_s, repeat.until_none, repeat.rounds), (3, true, Some(5)));
}

#[test]
fn what_is_not_found_is_no_failure_if_asked_so() {
    for missing in ["-p 1", "-c nobody", "-g 1", "-i :1"] {
        assert_eq!(run(missing).1, 1, "{missing}");
        assert_eq!(run(&format!("-Q {missing}")).1, 0, "{missing}");
    }
}

#[test]
fn only_what_is_shown_or_selected_by_is_read() {
    let needs = |arguments: &str| options(arguments).needs();
    let terse = needs("-t -i :80");
    assert!(terse.descriptors && terse.sockets);
    assert!(!terse.places && !terse.mappings && !terse.status && !terse.fdinfo && !terse.locks);
    assert!(!needs("-i").status);
    assert!(needs("-i -p 1").places);
    assert!(!needs("-a -i -p 1").places);
    assert!(!needs("-a -p 1 -d 3").mappings);
    assert!(needs("-p 1").mappings);
    assert!(!needs("-Fpn").status && !needs("-Fpn").fdinfo);
    assert!(needs("-t /village/well").status);
    assert!(needs("-E").ends && !needs("").ends);
}

#[test]
fn an_empty_width_is_refused() {
    let words = [b"+c".to_vec(), Vec::new()];
    assert!(Options::read("lsof", &words, &Village).is_err());
}

proptest::proptest! {
    /// Whatever is typed is read or refused, and what is read can be run.
    #[test]
    fn no_arguments_panic(words in proptest::collection::vec("[-+][a-zA-Z?:^/0-9,@.\\[\\]-]{1,6}|[/a-z0-9:,^-]{0,8}", 0..5)) {
        let words: Vec<Vec<u8>> = words.into_iter().map(String::into_bytes).collect();
        if let Ok((options, _)) = Options::read("lsof", &words, &Village) {
            let mut listing = Listing::new(&options, &Village, Charset::Ascii);
            listing.add(&server(), None);
            listing.end_round();
            listing.finish();
        }
    }
}
