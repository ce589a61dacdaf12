//! Options the way getopt_long(3) of the GNU C library reads them: bundles of letters, long names and their unambiguous
//! beginnings, the first word that is none ends them; and its complaints.

/// Does an option take an argument?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takes {
    /// No.
    Nothing,
    /// It must have one.
    One,
    /// Only as `--name=argument`.
    Perhaps,
}

/// A long name, whether it takes an argument, and what it stands for.
pub type Long<K> = (&'static str, Takes, K);

/// What may be given.
pub struct Grammar<K: 'static> {
    /// Letters, each with a colon if it takes an argument.
    pub letters: &'static str,
    /// Long names.
    pub long: &'static [Long<K>],
}

/// One option found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found<K> {
    /// By its letter.
    Letter(u8, Option<Vec<u8>>),
    /// By its long name.
    Long(&'static str, K, Option<Vec<u8>>),
}

/// The options, in order, and the words behind them.
pub type Words<K> = (Vec<Found<K>>, Vec<Vec<u8>>);

/// Reads words.
///
/// # Errors
/// What the library complains of, without the program's name.
pub fn read<K: Copy + PartialEq>(
    words: &[Vec<u8>],
    grammar: &Grammar<K>,
) -> Result<Words<K>, Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = words;
    while let [word, behind @ ..] = rest {
        if word == b"--" {
            rest = behind;
            break;
        }
        if word.len() < 2 || word.first() != Some(&b'-') {
            break;
        }
        rest = behind;
        match word.strip_prefix(b"--") {
            Some(text) => found.push(long(text, grammar, &mut rest)?),
            None => letters(word.get(1..).unwrap_or_default(), grammar, &mut rest, &mut found)?,
        }
    }
    Ok((found, rest.to_vec()))
}

fn letters<K: Copy>(
    mut word: &[u8],
    grammar: &Grammar<K>,
    rest: &mut &[Vec<u8>],
    found: &mut Vec<Found<K>>,
) -> Result<(), Vec<u8>> {
    while let [letter, behind @ ..] = word {
        word = behind;
        let place = grammar.letters.bytes().position(|known| known == *letter && known != b':');
        let Some(place) = place else {
            return Err([b"invalid option -- '", &[*letter][..], b"'"].concat());
        };
        if grammar.letters.as_bytes().get(place + 1) != Some(&b':') {
            found.push(Found::Letter(*letter, None));
            continue;
        }
        let argument = if behind.is_empty() { next(rest) } else { Some(behind.to_vec()) };
        let Some(argument) = argument else {
            return Err([b"option requires an argument -- '", &[*letter][..], b"'"].concat());
        };
        found.push(Found::Letter(*letter, Some(argument)));
        return Ok(());
    }
    Ok(())
}

fn long<K: Copy + PartialEq>(
    text: &[u8],
    grammar: &Grammar<K>,
    rest: &mut &[Vec<u8>],
) -> Result<Found<K>, Vec<u8>> {
    let equals = text.iter().position(|byte| *byte == b'=');
    let name = text.get(..equals.unwrap_or(text.len())).unwrap_or(text);
    let given = equals.and_then(|at| text.get(at + 1..)).map(<[u8]>::to_vec);
    let (name, takes, kind) = lookup(name, text, grammar)?;
    let argument = match (takes, given) {
        (Takes::Nothing, Some(_)) => {
            return Err(format!("option '--{name}' doesn't allow an argument").into_bytes());
        }
        (Takes::One, None) => Some(
            next(rest)
                .ok_or_else(|| format!("option '--{name}' requires an argument").into_bytes())?,
        ),
        (_, given) => given,
    };
    Ok(Found::Long(name, kind, argument))
}

fn lookup<K: Copy + PartialEq>(
    name: &[u8],
    text: &[u8],
    grammar: &Grammar<K>,
) -> Result<Long<K>, Vec<u8>> {
    if let Some(row) = grammar.long.iter().find(|row| row.0.as_bytes() == name) {
        return Ok(*row);
    }
    let mut begun = grammar.long.iter().filter(|row| row.0.as_bytes().starts_with(name));
    let Some(first) = begun.clone().next() else {
        return Err([b"unrecognized option '--", text, b"'"].concat());
    };
    if begun.clone().all(|row| row.2 == first.2 && row.1 == first.1) {
        return Ok(*first);
    }
    let mut words = [b"option '--", text, b"' is ambiguous; possibilities:"].concat();
    begun.by_ref().for_each(|row| words.extend(format!(" '--{}'", row.0).into_bytes()));
    Err(words)
}

fn next(rest: &mut &[Vec<u8>]) -> Option<Vec<u8>> {
    let (first, behind) = rest.split_first()?;
    *rest = behind;
    Some(first.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAMMAR: Grammar<u8> = Grammar {
        letters: "ao:f",
        long: &[
            ("output", Takes::One, 1),
            ("output-append-mode", Takes::Nothing, 2),
            ("times", Takes::Perhaps, 3),
            ("follow", Takes::Nothing, 4),
        ],
    };

    fn check(words: &[&str], expected: &str) {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let found = match read(&words, &GRAMMAR) {
            Err(words) => text(&words),
            Ok((found, rest)) => {
                let found = found.into_iter().map(|found| match found {
                    Found::Letter(letter, argument) => {
                        format!("{}{}", letter as char, text(&argument.unwrap_or_default()))
                    }
                    Found::Long(name, _, argument) => {
                        format!("{name}{}", text(&argument.unwrap_or_default()))
                    }
                });
                let rest = rest.iter().map(|word| text(word));
                found.chain([String::from("|")]).chain(rest).collect::<Vec<_>>().join(" ")
            }
        };
        assert_eq!(found, expected, "{words:?}");
    }

    #[test]
    fn options_are_read_as_the_library_reads_them() {
        check(&["-afox", "ls", "-a"], "a f ox | ls -a");
        check(&["-o", "x", "--", "-a"], "ox | -a");
        check(&["--output=x", "--fol", "--times", "ls"], "outputx follow times | ls");
        check(&["--output", "x", "-"], "outputx | -");
    }

    #[test]
    fn complaints_are_the_librarys() {
        check(&["-9"], "invalid option -- '9'");
        check(&["-ao"], "option requires an argument -- 'o'");
        check(&["--bogus=3"], "unrecognized option '--bogus=3'");
        check(&["--follow=3"], "option '--follow' doesn't allow an argument");
        check(&["--output"], "option '--output' requires an argument");
        let both =
            "option '--out=x' is ambiguous; possibilities: '--output' '--output-append-mode'";
        check(&["--out=x"], both);
    }
}
