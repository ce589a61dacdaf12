//! `-c`: commands by the beginning of their name, by regular expression, or `^` left out.

use crate::message::Messages;
use crate::regex::{Dialect, Regex};

/// Longest name of a command that the kernel gives (`TASK_COMM_LEN` less the NUL).
pub(crate) const LONGEST: usize = 15;

/// What `-c` said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Commands {
    pub names: Vec<Prefix>,
    pub expressions: Vec<Expression>,
}

/// The beginning of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Prefix {
    pub text: Vec<u8>,
    pub excluded: bool,
}

/// A regular expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Expression {
    pub text: Vec<u8>,
    pub regex: Regex,
}

impl Commands {
    /// True if some command is to be let in.
    pub(crate) fn includes(&self) -> bool {
        !self.expressions.is_empty() || self.names.iter().any(|name| !name.excluded)
    }

    pub(crate) fn is_excluded(&self, command: &[u8]) -> bool {
        self.names.iter().any(|name| name.excluded && command.starts_with(&name.text))
    }

    /// Reads a value.
    pub(crate) fn read(&mut self, value: Option<&[u8]>, messages: &mut Messages) {
        if let Some(value) = value.filter(|value| value.starts_with(b"/")) {
            return self.read_expression(value, messages);
        }
        let Some(value) = value.filter(|v| !matches!(v.first(), Some(b'-' | b'+'))) else {
            return messages.wrong("missing -c option value", b"");
        };
        let (excluded, text) = super::number::without_caret(value);
        if text.len() > LONGEST {
            let after = format!("\" length ({}) > what system provides ({LONGEST})", text.len());
            messages.around("\"-c ", text, &after);
            messages.wrong = true;
            return;
        }
        self.names.push(Prefix { text: text.to_vec(), excluded });
    }

    fn read_expression(&mut self, value: &[u8], messages: &mut Messages) {
        let Some(end) = value[1..].iter().position(|&b| b == b'/') else {
            return messages.wrong("regexp doesn't end with '/': ", value);
        };
        let (text, modifiers) = (&value[1..end + 1], &value[end + 2..]);
        let Some(dialect) = read_modifiers(value, modifiers, messages) else {
            messages.wrong = true;
            return;
        };
        match Regex::new(text, dialect) {
            Ok(regex) => self.expressions.push(Expression { text: text.to_vec(), regex }),
            Err(why) => {
                messages.around("regexp error: ", value, &format!(": {why}"));
                messages.wrong = true;
            }
        }
    }

    /// Says which names are both let in and left out.
    pub(crate) fn check(&self, messages: &mut Messages) {
        for out in self.names.iter().filter(|name| name.excluded) {
            for _ in self.names.iter().filter(|name| !name.excluded && name.text == out.text) {
                let text = String::from_utf8_lossy(&out.text);
                messages.wrong(&format!("-c^{text} and -c{text} conflict."), b"");
            }
        }
    }
}

fn read_modifiers(value: &[u8], modifiers: &[u8], messages: &mut Messages) -> Option<Dialect> {
    let (mut basic, mut extended, mut ignore_case) = (0, 0, 0);
    let mut fine = true;
    let mut conflict = false;
    for modifier in modifiers {
        let count = match modifier {
            b'b' => &mut basic,
            b'x' => &mut extended,
            b'i' => &mut ignore_case,
            _ => {
                messages.say("invalid regexp modifier: ", &[*modifier]);
                fine = false;
                continue;
            }
        };
        *count += 1;
        if *count > 1 {
            if *count == 2 {
                messages.say(
                    &format!("{} regexp modifier already used: ", char::from(*modifier)),
                    value,
                );
            }
            fine = false;
        } else if basic > 0 && extended > 0 {
            if !std::mem::replace(&mut conflict, true) {
                messages.say("b and x regexp modifiers conflict: ", value);
            }
            fine = false;
        }
    }
    fine.then_some(Dialect { extended: basic == 0, ignore_case: ignore_case > 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, said: &str) {
        let mut messages = Messages::new("lsof");
        let mut commands = Commands::default();
        commands.read(Some(value.as_bytes()), &mut messages);
        assert_eq!(String::from_utf8_lossy(&messages.text), said, "{value}");
        assert_eq!(messages.wrong, !said.is_empty());
    }

    #[test]
    fn what_is_wrong_with_a_command_is_said() {
        check("nginx", "");
        check("^nginx", "");
        check("/^ngi/i", "");
        check("-n", "lsof: missing -c option value\n");
        check("/x", "lsof: regexp doesn't end with '/': /x\n");
        check("/x/q", "lsof: invalid regexp modifier: q\n");
        check("/x/ii", "lsof: i regexp modifier already used: /x/ii\n");
        check("/x/bx", "lsof: b and x regexp modifiers conflict: /x/bx\n");
        check(
            "/(/",
            "lsof: regexp error: /(/: Unmatched ( or \\\\(\n".replace("\\\\(", "\\(").as_str(),
        );
        check(
            "a-name-of-17-byte",
            "lsof: \"-c a-name-of-17-byte\" length (17) > what system provides (15)\n",
        );
    }
}
