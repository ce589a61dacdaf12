//! POSIX regular expressions, as much of them as `-c /…/` needs: matched or not, never how.
//!
//! Names of commands have at most 15 bytes, so a set of states moved byte by byte is fast and cannot explode. Back
//! references are not known.

/// How the text of an expression is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Dialect {
    /// Extended (ERE) rather than basic (BRE): `+?|(){}` are special without a backslash.
    pub extended: bool,
    /// Case does not matter.
    pub ignore_case: bool,
}

/// A compiled expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Regex {
    steps: Vec<Step>,
    ignore_case: bool,
}

/// One instruction of the automaton; numbers are indexes into the program.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    /// Take a byte of the set, go on behind.
    Take(Box<[bool; 256]>),
    /// Only at the beginning.
    Begin,
    /// Only at the end.
    End,
    /// Go to both.
    Fork(usize, usize),
    /// Go there.
    Jump(usize),
    /// Matched.
    Done,
}

/// Largest count in braces, as RE_DUP_MAX of glibc is 32,767; programs stay small with less.
const MOST_REPEATS: usize = 255;
/// Longest program; repeats of repeats multiply.
const MOST_STEPS: usize = 50_000;
/// Deepest nesting.
const DEEPEST: usize = 250;

impl Regex {
    /// Compiles; the failure is regerror(3)'s sentence.
    pub(crate) fn new(text: &[u8], dialect: Dialect) -> Result<Regex, &'static str> {
        let mut parser = Parser { text, at: 0, dialect, depth: 0 };
        let tree = parser.alternatives()?;
        if parser.at < text.len() {
            return Err("Unmatched ) or \\)");
        }
        if size(&tree) > MOST_STEPS {
            return Err("Regular expression too big");
        }
        let mut steps = Vec::new();
        emit(&tree, &mut steps);
        steps.push(Step::Done);
        Ok(Regex { steps, ignore_case: dialect.ignore_case })
    }

    /// True if some part of the text matches.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        let mut states = vec![false; self.steps.len()];
        for at in 0..=text.len() {
            // A match may begin anywhere.
            self.enter(0, at, text.len(), &mut states);
            if states[self.steps.len() - 1] {
                return true;
            }
            let Some(&byte) = text.get(at) else { break };
            let byte = if self.ignore_case { byte.to_ascii_lowercase() } else { byte };
            let mut next = vec![false; self.steps.len()];
            for (index, step) in self.steps.iter().enumerate() {
                if let Step::Take(set) = step
                    && states[index]
                    && set[usize::from(byte)]
                {
                    self.enter(index + 1, at + 1, text.len(), &mut next);
                }
            }
            states = next;
        }
        states[self.steps.len() - 1]
    }

    /// Marks a state and all that are reached from it without a byte.
    fn enter(&self, state: usize, at: usize, end: usize, states: &mut [bool]) {
        let mut pending = vec![state];
        while let Some(state) = pending.pop() {
            if std::mem::replace(&mut states[state], true) {
                continue;
            }
            match self.steps[state] {
                Step::Fork(one, other) => pending.extend([one, other]),
                Step::Jump(to) => pending.push(to),
                Step::Begin if at == 0 => pending.push(state + 1),
                Step::End if at == end => pending.push(state + 1),
                _ => {}
            }
        }
    }
}

enum Tree {
    Empty,
    Take(Box<[bool; 256]>),
    Begin,
    End,
    Then(Vec<Tree>),
    Either(Vec<Tree>),
    /// At least so often, at most so often.
    Repeat(Box<Tree>, usize, Option<usize>),
}

/// How many instructions a tree becomes, or a little more.
fn size(tree: &Tree) -> usize {
    match tree {
        Tree::Empty => 0,
        Tree::Take(_) | Tree::Begin | Tree::End => 1,
        Tree::Then(parts) | Tree::Either(parts) => {
            parts.iter().map(size).fold(0, |sum, part| sum.saturating_add(part).saturating_add(2))
        }
        Tree::Repeat(inner, least, most) => {
            let times = most.unwrap_or(*least).max(*least).saturating_add(1);
            size(inner).saturating_add(2).saturating_mul(times)
        }
    }
}

fn emit(tree: &Tree, steps: &mut Vec<Step>) {
    match tree {
        Tree::Empty => {}
        Tree::Take(set) => steps.push(Step::Take(set.clone())),
        Tree::Begin => steps.push(Step::Begin),
        Tree::End => steps.push(Step::End),
        Tree::Then(parts) => parts.iter().for_each(|part| emit(part, steps)),
        Tree::Either(arms) => {
            let mut exits = Vec::new();
            for (index, arm) in arms.iter().enumerate() {
                let last = index + 1 == arms.len();
                let fork = steps.len();
                if !last {
                    steps.push(Step::Jump(0));
                }
                emit(arm, steps);
                if !last {
                    exits.push(steps.len());
                    steps.push(Step::Jump(0));
                    steps[fork] = Step::Fork(fork + 1, steps.len());
                }
            }
            let end = steps.len();
            exits.into_iter().for_each(|exit| steps[exit] = Step::Jump(end));
        }
        Tree::Repeat(inner, least, most) => {
            (0..*least).for_each(|_| emit(inner, steps));
            match most {
                None => {
                    let fork = steps.len();
                    steps.push(Step::Jump(0));
                    emit(inner, steps);
                    steps.push(Step::Jump(fork));
                    steps[fork] = Step::Fork(fork + 1, steps.len());
                }
                Some(most) => emit_optional(inner, most.saturating_sub(*least), steps),
            }
        }
    }
}

fn emit_optional(inner: &Tree, times: usize, steps: &mut Vec<Step>) {
    let mut forks = Vec::new();
    for _ in 0..times {
        forks.push(steps.len());
        steps.push(Step::Jump(0));
        emit(inner, steps);
    }
    let end = steps.len();
    forks.into_iter().for_each(|fork| steps[fork] = Step::Fork(fork + 1, end));
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    dialect: Dialect,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// True and past it if the operator (without its backslash in extended expressions) is next.
    fn operator(&mut self, operator: u8) -> bool {
        let rest = &self.text[self.at..];
        let length = match (self.dialect.extended, rest) {
            (true, [first, ..]) if *first == operator => 1,
            (false, [b'\\', second, ..]) if *second == operator => 2,
            _ => return false,
        };
        self.at += length;
        true
    }

    fn is_operator(&self, operator: u8) -> bool {
        let mut probe = Parser { text: self.text, at: self.at, dialect: self.dialect, depth: 0 };
        probe.operator(operator)
    }

    fn alternatives(&mut self) -> Result<Tree, &'static str> {
        let mut arms = vec![self.sequence()?];
        while self.operator(b'|') {
            arms.push(self.sequence()?);
        }
        Ok(if arms.len() == 1 { arms.remove(0) } else { Tree::Either(arms) })
    }

    fn sequence(&mut self) -> Result<Tree, &'static str> {
        let mut parts = Vec::new();
        while self.at < self.text.len() && !self.is_operator(b'|') {
            if self.is_operator(b')') && self.depth > 0 {
                break;
            }
            let atom = self.atom(parts.is_empty())?;
            parts.push(self.repeated(atom)?);
        }
        Ok(Tree::Then(parts))
    }

    fn atom(&mut self, first: bool) -> Result<Tree, &'static str> {
        if self.operator(b'(') {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err("Regular expression too big");
            }
            let inner = self.alternatives()?;
            self.depth -= 1;
            return if self.operator(b')') { Ok(inner) } else { Err("Unmatched ( or \\(") };
        }
        let byte = self.peek().unwrap_or_default();
        self.at += 1;
        let last = self.at == self.text.len();
        match byte {
            b'^' if self.dialect.extended || first => Ok(Tree::Begin),
            b'$' if self.dialect.extended || last || self.is_operator(b')') => Ok(Tree::End),
            b'.' => Ok(Tree::Take(Box::new([true; 256]))),
            b'[' => self.bracket(),
            b'*' | b'+' | b'?' if self.dialect.extended && first => {
                if byte == b'*' {
                    Ok(Tree::Empty)
                } else {
                    Err("Invalid preceding regular expression")
                }
            }
            b'\\' => {
                let byte = self.peek().ok_or("Trailing backslash")?;
                self.at += 1;
                if byte.is_ascii_digit() {
                    Err("Invalid back reference")
                } else {
                    Ok(self.one(byte))
                }
            }
            byte => Ok(self.one(byte)),
        }
    }

    fn one(&self, byte: u8) -> Tree {
        let mut set = Box::new([false; 256]);
        let byte = if self.dialect.ignore_case { byte.to_ascii_lowercase() } else { byte };
        set[usize::from(byte)] = true;
        Tree::Take(set)
    }

    fn repeated(&mut self, mut atom: Tree) -> Result<Tree, &'static str> {
        loop {
            let (least, most) = if self.peek() == Some(b'*') {
                self.at += 1;
                (0, None)
            } else if self.operator(b'+') {
                (1, None)
            } else if self.operator(b'?') {
                (0, Some(1))
            } else if self.is_operator(b'{') && self.operator(b'{') {
                self.braces()?
            } else {
                return Ok(atom);
            };
            atom = Tree::Repeat(Box::new(atom), least, most);
        }
    }

    fn braces(&mut self) -> Result<(usize, Option<usize>), &'static str> {
        let least = self.number();
        let most = if self.peek() == Some(b',') {
            self.at += 1;
            self.number()
        } else {
            Some(least.ok_or("Invalid content of \\{\\}")?)
        };
        if !self.operator(b'}') {
            return Err("Unmatched { or \\{");
        }
        let least = least.unwrap_or(0);
        if most.is_some_and(|most| most < least) {
            return Err("Invalid content of \\{\\}");
        }
        if least.max(most.unwrap_or(0)) > MOST_REPEATS {
            return Err("Regular expression too big");
        }
        Ok((least, most))
    }

    fn number(&mut self) -> Option<usize> {
        let mut value = None;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            self.at += 1;
            value =
                Some((value.unwrap_or(0) * 10 + usize::from(digit - b'0')).min(MOST_REPEATS + 1));
        }
        value
    }

    fn bracket(&mut self) -> Result<Tree, &'static str> {
        const UNMATCHED: &str = "Unmatched [, [^, [:, [., or [=";
        let mut set = Box::new([false; 256]);
        let inverted = self.peek() == Some(b'^');
        self.at += usize::from(inverted);
        let start = self.at;
        loop {
            let byte = self.peek().ok_or(UNMATCHED)?;
            self.at += 1;
            if byte == b']' && self.at > start + 1 {
                break;
            }
            if byte == b'[' && self.peek() == Some(b':') {
                self.class(&mut set)?;
                continue;
            }
            let upper = match (self.peek(), self.text.get(self.at + 1)) {
                (Some(b'-'), Some(&upper)) if upper != b']' => {
                    self.at += 2;
                    upper
                }
                _ => byte,
            };
            if upper < byte {
                return Err("Invalid range end");
            }
            (byte..=upper).for_each(|b| set[usize::from(b)] = true);
        }
        if self.dialect.ignore_case {
            for upper in b'A'..=b'Z' {
                let either = set[usize::from(upper)] || set[usize::from(upper + 32)];
                set[usize::from(upper)] = either;
                set[usize::from(upper + 32)] = either;
            }
        }
        if inverted {
            set.iter_mut().for_each(|member| *member = !*member);
        }
        Ok(Tree::Take(set))
    }

    /// `[:alpha:]`, behind its first bracket.
    fn class(&mut self, set: &mut [bool; 256]) -> Result<(), &'static str> {
        let rest = &self.text[self.at + 1..];
        let end =
            rest.windows(2).position(|two| two == b":]").ok_or("Invalid character class name")?;
        let member: fn(&u8) -> bool = match &rest[..end] {
            b"alpha" => u8::is_ascii_alphabetic,
            b"digit" => u8::is_ascii_digit,
            b"alnum" => u8::is_ascii_alphanumeric,
            b"upper" => u8::is_ascii_uppercase,
            b"lower" => u8::is_ascii_lowercase,
            b"space" => |b| b" \t\n\r\x0b\x0c".contains(b),
            b"blank" => |b| b" \t".contains(b),
            b"punct" => u8::is_ascii_punctuation,
            b"print" => |b| (0x20..0x7f).contains(b),
            b"graph" => u8::is_ascii_graphic,
            b"cntrl" => u8::is_ascii_control,
            b"xdigit" => u8::is_ascii_hexdigit,
            _ => return Err("Invalid character class name"),
        };
        (0..=u8::MAX).filter(member).for_each(|b| set[usize::from(b)] = true);
        self.at += end + 3;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, flags: &str, name: &str, expected: bool) {
        let dialect = Dialect { extended: !flags.contains('b'), ignore_case: flags.contains('i') };
        let regex = Regex::new(text.as_bytes(), dialect).expect(text);
        assert_eq!(regex.matches(name.as_bytes()), expected, "/{text}/{flags} on {name}");
    }

    #[test]
    fn what_matches_is_what_regexec_says() {
        check("ngin", "", "nginx", true);
        check("^ngin$", "", "nginx", false);
        check("^(nginx|redis)$", "", "redis", true);
        check("^(nginx|redis)$", "", "redis-server", false);
        check("^re.*er$", "", "redis-server", true);
        check("NGINX", "i", "nginx", true);
        check("[n-p]g[^a]n", "", "nginx", true);
        check("[N]", "i", "n", true);
        check("x{2,3}y", "", "axxy", true);
        check("x{2,3}y", "", "axy", false);
        check("x\\{2\\}", "b", "xx", true);
        check("a|b", "b", "a", false);
        check("a|b", "b", "a|b", true);
        check("[[:digit:]]+$", "", "worker12", true);
        check("[]x]", "", "]", true);
        check("a\\.b", "", "axb", false);
        check("", "", "anything", true);
        check("(a*)*b", "", "aaaaaaaaaaaaaaaa", false);
        check("(a|b)?c+", "", "bccc", true);
        check("^$", "", "", true);
    }

    #[test]
    fn what_is_wrong_is_said_as_regerror_says_it() {
        let check = |text: &str, expected| {
            let dialect = Dialect { extended: true, ignore_case: false };
            assert_eq!(Regex::new(text.as_bytes(), dialect), Err(expected), "{text}");
        };
        check("(a", "Unmatched ( or \\(");
        check("[a", "Unmatched [, [^, [:, [., or [=");
        check("a\\", "Trailing backslash");
        check("[b-a]", "Invalid range end");
        check("a{2,1}", "Invalid content of \\{\\}");
        check("[[:nope:]]", "Invalid character class name");
        check("((a{255}){255}){255}", "Regular expression too big");
        check(&"(".repeat(100_000), "Regular expression too big");
    }

    proptest::proptest! {
        #[test]
        fn no_expression_panics(text: Vec<u8>, extended: bool, name in "[ -~]{0,15}") {
            if let Ok(regex) = Regex::new(&text, Dialect { extended, ignore_case: true }) {
                regex.matches(name.as_bytes());
            }
        }

        #[test]
        fn no_likely_expression_panics(text in "[ab.*+?|(){}0-9\\[\\]^$\\\\-]{0,24}", name in "[ab]{0,15}") {
            for extended in [false, true] {
                let dialect = Dialect { extended, ignore_case: false };
                if let Ok(regex) = Regex::new(text.as_bytes(), dialect) {
                    regex.matches(name.as_bytes());
                }
            }
        }
    }
}
