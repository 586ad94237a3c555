//! What is written to the terminal: a frame in one write, and colours as terminals of sixteen know them.
//!
//! Crossterm names even the first sixteen colours by number in a palette (`38;5;1`), which terminals without a palette read as
//! blinking and bold. ECMA-48 §8.3.117 has 30 to 37 and 40 to 47 for the first eight; 90 to 97 and 100 to 107 are aixterm's
//! for their bright ones, which all that have sixteen know.

use std::io::{self, Write};

/// A writer that keeps what is written until it is flushed.
pub struct Screen<W: Write> {
    to: W,
    frame: Vec<u8>,
}

impl<W: Write> Screen<W> {
    /// Writes there.
    pub fn new(to: W) -> Screen<W> {
        Screen { to, frame: Vec::new() }
    }
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let frame = sixteen(&self.frame);
        self.frame.clear();
        self.to.write_all(&frame)?;
        self.to.flush()
    }
}

/// The same with every colour of a palette's first sixteen by its old name.
fn sixteen(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len());
    let mut rest = frame;
    while let Some(at) = rest.windows(2).position(|w| w == b"\x1b[") {
        let (before, from) = rest.split_at(at + 2);
        out.extend_from_slice(before);
        let end = from.iter().take_while(|b| b.is_ascii_digit() || **b == b';').count();
        let (numbers, behind) = from.split_at(end);
        match (behind.first(), std::str::from_utf8(numbers)) {
            (Some(b'm'), Ok(numbers)) => out.extend_from_slice(renamed(numbers).as_bytes()),
            _ => out.extend_from_slice(numbers),
        }
        rest = behind;
    }
    out.extend_from_slice(rest);
    out
}

/// The numbers of one selection of graphics (SGR).
fn renamed(numbers: &str) -> String {
    let all: Vec<&str> = numbers.split(';').collect();
    let mut out: Vec<String> = Vec::new();
    let mut rest = all.as_slice();
    while let [first, behind @ ..] = rest {
        let ground = match *first {
            "38" => Some(30),
            "48" => Some(40),
            _ => None,
        };
        match (ground, behind) {
            (Some(ground), ["5", n, behind @ ..]) if let Some(n @ 0..16) = n.parse::<u8>().ok() => {
                // the bright ones lie 60 behind their own
                let bright = if n < 8 { 0 } else { 60 };
                out.push((ground + n % 8 + bright).to_string());
                rest = behind;
            }
            _ => {
                out.push((*first).to_owned());
                rest = behind;
            }
        }
    }
    out.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sixteen_go_by_their_old_names_and_all_else_is_as_it_was() {
        for (given, wanted) in [
            ("\x1b[38;5;1mred", "\x1b[31mred"),
            ("a\x1b[38;5;9;48;5;0;1mb", "a\x1b[91;40;1mb"),
            ("\x1b[38;5;15;48;5;8m", "\x1b[97;100m"),
            ("\x1b[39;49m\x1b[0m", "\x1b[39;49m\x1b[0m"),
            ("\x1b[38;5;200m\x1b[38;2;1;2;3m", "\x1b[38;5;200m\x1b[38;2;1;2;3m"),
            ("\x1b[2;5H\x1b[?25l°C 38;5;1m", "\x1b[2;5H\x1b[?25l°C 38;5;1m"),
            ("\x1b[", "\x1b["),
            ("", ""),
        ] {
            assert_eq!(
                String::from_utf8(sixteen(given.as_bytes())).unwrap(),
                wanted,
                "{given:?}"
            );
        }
    }

    #[test]
    fn a_frame_is_written_once_and_whole() {
        let mut screen = Screen::new(Vec::new());
        screen.write_all(b"\x1b[38;").unwrap();
        screen.write_all(b"5;2mgreen").unwrap();
        assert!(screen.to.is_empty());
        screen.flush().unwrap();
        assert_eq!(screen.to, b"\x1b[32mgreen");
    }
}
