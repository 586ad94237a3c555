//! A row of numbers as a row of small bars.

/// From low to high.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The same where only ASCII is shown.
const PLAIN: [char; 8] = ['_', '.', ',', '-', '=', '+', '*', '#'];

/// At most `width` bars for `values`; a step without a value is a gap. What is steady stands in the middle.
pub fn spark(values: &[Option<f64>], width: usize, ascii: bool) -> String {
    let bars = if ascii { PLAIN } else { BARS };
    let each = values.len().div_ceil(width.max(1)).max(1);
    let mean = |chunk: &[Option<f64>]| {
        let there: Vec<f64> = chunk.iter().flatten().copied().collect();
        (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64)
    };
    let columns: Vec<Option<f64>> = values.chunks(each).map(mean).collect();
    let ends = |pick: fn(f64, f64) -> f64| columns.iter().flatten().copied().reduce(pick);
    let (Some(low), Some(high)) = (ends(f64::min), ends(f64::max)) else {
        return " ".repeat(columns.len());
    };
    let bar = |value: &Option<f64>| match value {
        None => ' ',
        Some(_) if high - low <= f64::EPSILON * high.abs() => bars[3],
        Some(v) => bars[(((v - low) / (high - low)) * 7.0).round() as usize],
    };
    columns.iter().map(bar).collect()
}

/// Whether only ASCII is shown: the locale is not UTF-8 (POSIX XBD 8.2: the first of these that is set says), or the terminal
/// is the kernel's own or a dumb one.
pub fn ascii() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    let utf8 = locale.is_some_and(|l| {
        let l = l.to_ascii_lowercase();
        l.contains("utf-8") || l.contains("utf8")
    });
    !utf8 || set("TERM").is_some_and(|t| t == "linux" || t == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_seen_and_the_steady_stands_in_the_middle() {
        let values = [Some(1.0), None, Some(8.0), Some(4.5)];
        assert_eq!(spark(&values, 10, false), "▁ █▅");
        assert_eq!(spark(&values, 10, true), "_ #=");
        assert_eq!(spark(&[Some(7.0); 3], 10, false), "▄▄▄");
        assert_eq!(spark(&[None; 3], 10, false), "   ");
        assert_eq!(spark(&[], 10, false), "");
    }

    #[test]
    fn more_values_than_columns_are_put_together() {
        let values: Vec<Option<f64>> = (0..100).map(|v| Some(f64::from(v))).collect();
        assert_eq!(spark(&values, 8, false), "▁▂▃▄▅▆▇█");
    }
}
