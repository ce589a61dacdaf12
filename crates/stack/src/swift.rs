//! Readable names of Swift functions: module, types, name and argument labels.
//!
//! Not a whole demangler: what follows the name (types, generic arguments, specializations) is left out, as in
//! `swift demangle --simplified`, and a name that begins in any other way (standard types, extensions, substituted
//! contexts) stays as it is. The grammar is docs/ABI/Mangling.rst of the Swift sources, the words inside identifiers
//! are as in its `Demangler::demangleIdentifier`.

/// The readable form of a Swift 5 symbol; `None` if it is none, or one that is not understood.
pub fn demangle(symbol: &str) -> Option<String> {
    let prefixes = ["$s", "$S", "_$s", "_$S"];
    let mangled = prefixes.iter().find_map(|prefix| symbol.strip_prefix(prefix))?;
    let mut reader = Reader { rest: mangled, words: Vec::new() };
    let mut path = reader.identifier()?;
    let mut names = Vec::new();
    while let Some(name) = reader.identifier() {
        if reader.take_nominal() {
            path = format!("{path}.{name}");
        } else if reader.rest.starts_with("LL") && name.starts_with('_') {
            // The discriminator of a private declaration.
            reader.rest = &reader.rest[2..];
        } else {
            names.push(name);
        }
    }
    let function = Kind::of(reader.rest)?.name(names)?;
    let closure = if reader.rest.contains("fU") { "closure in " } else { "" };
    Some(format!("{closure}{path}.{function}"))
}

/// What the operators at the end of a symbol say that it is.
#[derive(Clone, Copy)]
enum Kind {
    Function,
    Init,
    Deinit,
    Getter,
    Setter,
}

/// Operators, as they are after the entity's type; the first that occurs decides.
const OPERATORS: &[(&str, Kind)] = &[
    ("fC", Kind::Init),
    ("fc", Kind::Init),
    ("fD", Kind::Deinit),
    ("fd", Kind::Deinit),
    ("vg", Kind::Getter),
    ("vs", Kind::Setter),
    ("vM", Kind::Setter),
    ("F", Kind::Function),
];

impl Kind {
    fn of(operators: &str) -> Option<Kind> {
        let at = |&(operator, kind): &(&str, Kind)| Some((operators.find(operator)?, kind));
        OPERATORS.iter().filter_map(at).min_by_key(|&(at, _)| at).map(|(_, kind)| kind)
    }

    /// The base name and its labels; an initializer has only labels.
    fn name(self, names: Vec<String>) -> Option<String> {
        let mut names = names.into_iter();
        let base = match self {
            Kind::Init => "init".to_owned(),
            Kind::Deinit => return Some("deinit".to_owned()),
            Kind::Function | Kind::Getter | Kind::Setter => names.next()?,
        };
        match self {
            Kind::Getter => Some(format!("{base}.getter")),
            Kind::Setter => Some(format!("{base}.setter")),
            _ => Some(format!("{base}({})", names.map(|label| label + ":").collect::<String>())),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    words: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    /// Class, structure, enumeration, protocol or type alias: the identifier before is a type.
    fn take_nominal(&mut self) -> bool {
        let rest = self.rest.strip_prefix(['C', 'V', 'O', 'P', 'a']);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// `4open`, or with words of earlier identifiers: `04readB0`. Punycode is not understood.
    fn identifier(&mut self) -> Option<String> {
        if !self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let mut identifier = String::new();
        let mut substituting = self.take("0");
        loop {
            while substituting && let Some(letter) = self.take_letter() {
                let index = letter.to_ascii_lowercase() as usize - 'a' as usize;
                identifier.push_str(self.words.get(index)?);
                // The last substituted word is a capital.
                substituting = letter.is_ascii_lowercase();
            }
            if self.take("0") {
                return Some(identifier).filter(|identifier| !identifier.is_empty());
            }
            let literal = self.literal()?;
            identifier.push_str(literal);
            self.words.extend(split_words(literal));
            if !substituting {
                return Some(identifier);
            }
        }
    }

    fn literal(&mut self) -> Option<&'a str> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let length: usize = self.rest[..digits].parse().ok()?;
        let (literal, rest) = self.rest[digits..].split_at_checked(length)?;
        self.rest = rest;
        Some(literal).filter(|literal| !literal.is_empty())
    }

    fn take(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take_letter(&mut self) -> Option<char> {
        let letter = self.rest.chars().next().filter(char::is_ascii_alphabetic)?;
        self.rest = &self.rest[1..];
        Some(letter)
    }
}

/// Words of two letters or more: they end before a capital that follows a small letter, and at an underscore.
fn split_words(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut start = None;
    for end in 0..=bytes.len() {
        let next = bytes.get(end).copied().unwrap_or(b'_');
        if let Some(from) = start
            && (next == b'_' || !bytes[end - 1].is_ascii_uppercase() && next.is_ascii_uppercase())
        {
            words.extend(text.get(from..end).filter(|word| word.len() >= 2));
            start = None;
        }
        if start.is_none() && next != b'_' && !next.is_ascii_digit() {
            start = Some(end);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(symbol: &str, expected: Option<&str>) {
        assert_eq!(demangle(symbol).as_deref(), expected, "{symbol}");
    }

    #[test]
    fn functions_and_methods() {
        check("$s4main4leakyyF", Some("main.leak()"));
        check("$s4main6LeakerC4openyyF", Some("main.Leaker.open()"));
        check("$s4main6LeakerC5InnerV4openyyFZ", Some("main.Leaker.Inner.open()"));
        check("$s4main4open4path5flagsySS_SitF", Some("main.open(path:flags:)"));
        check("$s4main6LeakerC4pathACSS_tcfC", Some("main.Leaker.init(path:)"));
        check("$s4main6LeakerCfD", Some("main.Leaker.deinit"));
        check("$s4main6LeakerC5countSivg", Some("main.Leaker.count.getter"));
        check("$s4main4leakyyFyycfU_", Some("closure in main.leak()"));
    }

    #[test]
    fn private_declarations_and_repeated_words() {
        let private = "$s4main6helper33_0123456789ABCDEF0123456789ABCDEFLLyyF";
        check(private, Some("main.helper()"));
        check("$s9FileStore0aB6LeakerC4openyyF", Some("FileStore.FileStoreLeaker.open()"));
    }

    #[test]
    fn what_is_not_understood_stays() {
        for symbol in
            ["", "$s", "main", "_ZN3fooE", "$sSS4mainE", "$s4ma", "$s99999999999999999999x"]
        {
            check(symbol, None);
        }
        check("$s00é", None);
    }
}
