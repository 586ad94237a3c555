//! Reads an expression: a recursive descent over characters, bounded in length and depth.

use super::{Expr, How};

/// Longest expression, in characters.
const LONGEST: usize = 4096;
/// Deepest nesting of parentheses and `not`.
const DEEPEST: usize = 64;

/// Where an expression stops making sense, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {what}")]
pub struct Mistake {
    /// In characters, from 1.
    pub column: usize,
    /// What was expected.
    pub what: String,
}

/// Reads an expression.
///
/// # Errors
/// Says at which column it can't be understood, and what would be.
pub fn parse(text: &str) -> Result<Expr, Mistake> {
    let chars: Vec<char> = text.chars().take(LONGEST + 1).collect();
    let mut reader = Reader { chars, at: 0, depth: 0 };
    if reader.chars.len() > LONGEST {
        return Err(reader.mistake(format!("longer than {LONGEST} characters")));
    }
    let expr = reader.any()?;
    reader.blanks();
    match reader.peek() {
        None => Ok(expr),
        Some(')') => Err(reader.mistake("this parenthesis was never opened")),
        Some(_) => Err(reader.mistake("here stands no `and` or `or`; a value with blanks is written in quotes")),
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn mistake(&self, what: impl Into<String>) -> Mistake {
        Mistake {
            column: self.at + 1,
            what: what.into(),
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Takes a sign.
    fn sign(&mut self, sign: &str) -> bool {
        let fits = sign
            .chars()
            .enumerate()
            .all(|(i, c)| self.chars.get(self.at + i) == Some(&c));
        if fits {
            self.at += sign.chars().count();
        }
        fits
    }

    /// Takes a word, when it ends here.
    fn word(&mut self, word: &str) -> bool {
        self.blanks();
        let end = self.at + word.len();
        let fits = word
            .chars()
            .enumerate()
            .all(|(i, c)| self.chars.get(self.at + i).is_some_and(|x| x.eq_ignore_ascii_case(&c)));
        let ends = self
            .chars
            .get(end)
            .is_none_or(|c| c.is_whitespace() || "()!".contains(*c));
        if fits && ends {
            self.at = end;
        }
        fits && ends
    }

    fn any(&mut self) -> Result<Expr, Mistake> {
        let mut left = self.all()?;
        while self.word("or") || self.sign("||") {
            left = Expr::Or(Box::new(left), Box::new(self.all()?));
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Expr, Mistake> {
        let mut left = self.one()?;
        while self.word("and") || self.sign("&&") || self.sign(",") {
            left = Expr::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Expr, Mistake> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.mistake(format!("nested deeper than {DEEPEST}")));
        }
        let expr = if self.word("not") || self.sign("!") {
            Expr::Not(Box::new(self.one()?))
        } else if self.sign("(") {
            let opened = self.at;
            let inner = self.any()?;
            self.blanks();
            if !self.sign(")") {
                return Err(self.mistake(format!("the parenthesis of column {opened} is not closed")));
            }
            inner
        } else {
            self.compare()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn compare(&mut self) -> Result<Expr, Mistake> {
        self.blanks();
        let column = self.at + 1;
        let mut field = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_alphanumeric() || "._-/".contains(*c)) {
            field.extend(c.to_lowercase());
            self.at += 1;
        }
        if field.is_empty() {
            return Err(self.mistake("a field is expected: health, memory, firmware.bmc, …"));
        }
        if ["and", "or"].contains(&field.as_str()) {
            self.at = column - 1;
            return Err(self.mistake(format!("`{field}` joins two comparisons; one is missing")));
        }
        self.blanks();
        // The longer signs first, as each begins like a shorter one.
        let signs = [
            ("!=", How::Differs),
            ("!~", How::Lacks),
            ("<=", How::AtMost),
            (">=", How::AtLeast),
            ("==", How::Equal),
            ("=", How::Equal),
            ("<", How::Less),
            (">", How::More),
            ("~", How::Holds),
        ];
        let Some((_, how)) = signs.into_iter().find(|(sign, _)| self.sign(sign)) else {
            return Ok(Expr::Has { field, column });
        };
        self.blanks();
        let value = self.value()?;
        Ok(Expr::Compare {
            field,
            column,
            how,
            value,
        })
    }

    fn value(&mut self) -> Result<String, Mistake> {
        let mut value = String::new();
        if let Some(quote) = self.peek().filter(|c| *c == '"' || *c == '\'') {
            let opened = self.at + 1;
            self.at += 1;
            while let Some(c) = self.peek() {
                self.at += 1;
                if c == quote {
                    return Ok(value);
                }
                value.push(c);
            }
            return Err(self.mistake(format!("the quote of column {opened} is not closed")));
        }
        while let Some(c) = self
            .peek()
            .filter(|c| !c.is_whitespace() && !"()!=<>~&|,\"'".contains(*c))
        {
            value.push(c);
            self.at += 1;
        }
        if value.is_empty() {
            return Err(self.mistake("a value is expected: ok, 4, 256G, \"two words\""));
        }
        Ok(value)
    }
}
